#!/bin/sh
# An audit of a file system whose log was not replayed: files of ext4 are looked at as they are after a replay, and what
# can be looked at before one only proves nothing.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-xfs-functions"

requires mke2fs xfs_freeze e2fsck
requires_mount ext4

# busy IMAGE TYPE: copies it to `live` while it is mounted, with files that only its log tells of.
busy() {
  mkdir -p mounted
  mount -t "$2" -o loop "$1" mounted
  cp -r "$VPIPE_TOP/Sources/GuestLayouts" mounted/kept
  noise 3M >mounted/gone
  sync
  rm -r mounted/gone mounted/kept/XFS
  cp -r "$VPIPE_TOP/Sources/GuestLayouts" mounted/new
  sync -f mounted
  cp --sparse=always "$1" live
}

xfs_make xfs.raw 400M
busy xfs.raw xfs
xfs_logprint -t live 2>/dev/null | grep -q '<DIRTY>' || fail 'its log is clean: the test is wrong'
fails 1 vread --audit --skip free --junit report.xml live
shows 'live: bytes: passed' 'the disk: files: not done: its log has not been replayed' \
  'the disk: xfs_repair: not done' 'the disk: proof: failed' 'nothing could look at what is left out'
grep -q 'skipped.*its log has not been replayed' report.xml
vstore init -r R >/dev/null
vstore put -q -r R --name live --skip free live >/dev/null
fails 1 vstore audit -r R live
shows 'files: not done: its log has not been replayed' 'proof: failed'
fails 1 vstore audit -r R live live

# A frozen one has no files in its log.
xfs_freeze -f mounted
cp --sparse=always xfs.raw live
xfs_freeze -u mounted
umount mounted
works vread --audit --skip free live
shows 'the disk: files: passed' 'are the same'
is "$(grep -e proof -e replay stdout)" ''

truncate -s 128M ext.raw
mke2fs -q -F -t ext4 ext.raw
busy ext.raw ext4
umount mounted
dumpe2fs -h live 2>/dev/null | grep -q needs_recovery || fail 'its journal is clean: the test is wrong'
works vread --audit --skip free live
shows 'the disk: files: passed' 'are the same, after a replay in memory'
is "$(grep proof stdout)" ''
# Files of the folder that came last are in its journal only.
count=$(find "$VPIPE_TOP/Sources/GuestLayouts" -type f | wc -l)
looked=$(sed -n 's/.*files: passed: \([0-9]*\) files.*/\1/p' stdout)
[ "$looked" -ge "$count" ] || fail "only $looked files were looked at"
vstore put -q -r R --name ext --skip free live >/dev/null
works vstore audit -r R ext
shows 'are all there, after a replay in memory'
works vstore audit -r R ext live
shows 'are the same, after a replay in memory'
