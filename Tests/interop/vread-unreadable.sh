#!/bin/sh
# Places that the medium cannot read end the job with status 2; with --salvage all others arrive, the bad ones are
# named, and the status is 3. The bad sectors are made by QEMU's blkdebug behind FUSE.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-storage-daemon
requires_root
[ -e /dev/fuse ] || skip 'no /dev/fuse'
noise 12M >disk.raw
: >bad.raw
cat >rules <<'R'
[inject-error]
event = "none"
errno = "5"
sector = "10241"

[inject-error]
event = "none"
errno = "5"
sector = "20000"
R
qemu-storage-daemon \
  --blockdev driver=file,node-name=file,filename=disk.raw \
  --blockdev driver=blkdebug,node-name=bad,image=file,config=rules \
  --export type=fuse,id=export,node-name=bad,mountpoint=bad.raw >daemon.log 2>&1 &
daemon=$!
stop_daemon() {
  kill "$daemon" || return 0
  wait "$daemon" || :
}
later stop_daemon
mounted() {
  kill -0 "$daemon" 2>/dev/null || skip "no FUSE export: $(cat daemon.log)"
  [ "$(size bad.raw)" -gt 0 ]
}
within 10 mounted

fails 2 vread bad.raw
says 'vread: bad.raw: bytes' 'input/output error'
fails 3 vread --raw --salvage bad.raw
# The page cache reads whole pages, so it is a page that is bad.
says 'bad: bytes 5242880 to 5246976 could not be read' 'bad: bytes 10240000 to 10244096 could not be read'
mv stdout copy.raw
head -c 4096 /dev/zero | put_at disk.raw 5242880
head -c 4096 /dev/zero | put_at disk.raw 10240000
same disk.raw copy.raw
fails 3 vread --list --scan --salvage bad.raw
shows '8.00 KiB bad'

# The places where a format is recognized may be bad as well: the rest is saved all the same.
for sector in 0 24575; do
  stop_daemon
  : >bad.raw
  head -n 4 rules | sed "s/10241/$sector/" >rules.$sector
  qemu-storage-daemon \
    --blockdev driver=file,node-name=file,filename=disk.raw \
    --blockdev driver=blkdebug,node-name=bad,image=file,config=rules.$sector \
    --export type=fuse,id=export,node-name=bad,mountpoint=bad.raw >daemon.log 2>&1 &
  daemon=$!
  within 10 mounted
  fails 2 vread bad.raw
  says 'input/output error'
  fails 3 vread --raw --salvage bad.raw
  says 'taken as raw'
  mv stdout copy.raw
  head -c 4096 /dev/zero | put_at disk.raw $((sector * 512 - sector * 512 % 4096))
  same disk.raw copy.raw
done
