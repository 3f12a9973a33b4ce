#!/bin/sh
# Where case does not count, no file that comes back replaces another one that came back before.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs mkfs.exfat mount.exfat-fuse losetup
requires_root
[ -e /dev/fuse ] || skip 'needs FUSE'

mkdir -p tree/Dir tree/dir target
echo upper >tree/README
echo lower >tree/readme
echo 1 >tree/Dir/x
echo 2 >tree/dir/x
truncate -s 8M fs.raw
mke2fs -q -F -t ext4 -d tree fs.raw
vstore init -r R >/dev/null
vstore put -q -r R --name vm fs.raw >/dev/null

truncate -s 16M target.raw
mkfs.exfat target.raw >/dev/null
loop=$(losetup -f --show target.raw) || skip 'no loop device'
later "umount target 2>/dev/null; detach $loop"
mount.exfat-fuse "$loop" target >fuse.log 2>&1 || skip "cannot mount: $(cat fuse.log)"
mkdir target/vm
# Twice: what is there from before is replaced.
for _ in 1 2; do
  fails 3 vrestore files -r R vm / -o target/vm --force
  says '/readme: case does not count here' '/dir: case does not count here'
  same target/vm/README tree/README
  same target/vm/Dir/x tree/Dir/x
done
is "$(cd target/vm && find . -type f | sort | tr '\n' ' ')" './Dir/x ./README '

# Where it counts, all come back.
works vrestore files -q -r R vm / -o plain
works vrestore files -q -r R vm / -o plain --force
rm -rf plain/lost+found
diff -r tree plain
