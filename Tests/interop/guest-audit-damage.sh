#!/bin/sh
# An audit of a point whose repository is damaged ends with status 65, names the disk and what to do; what is wrong
# with the disks that it is compared with is not taken for that.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs e2fsck
mkdir -p tree/etc
echo text >tree/etc/text
noise 6M 4 >tree/noise
truncate -s 16M disk.raw
mke2fs -q -F -t ext4 -b 4096 -d tree disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a --skip free disk.raw >/dev/null
works vstore audit -q -r R a disk.raw
pack=$(find R/packs -type f -size +4M)
flip "$pack" $(($(size "$pack") / 2))

fails 65 vstore audit -q -r R a disk.raw
says 'vstore: R: disk: bytes ' "packs/$(basename "$(dirname "$pack")")/" 'hint: vstore check --read-data tells what is damaged'
fails 65 vstore audit -q -r R a
says 'vstore: R: disk: bytes ' 'hint: vstore check --read-data'
fails 65 vstore audit --json -r R a disk.raw
tail -n 1 stderr | python3 -c 'import json, sys; assert json.load(sys.stdin)["status"] == 65'

# An output that takes nothing is no damage.
fails 2 sh -c 'vstore audit -r R a disk.raw --spool nowhere'
says 'nowhere: '
