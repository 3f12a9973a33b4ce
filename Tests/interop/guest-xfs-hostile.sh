#!/bin/sh
# XFS with a damaged or hostile structure: nothing crashes or hangs, and never is more skipped than before.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-xfs-functions"

requires xfs_io xfs_freeze

XFS_MEBIBYTES=2 xfs_make clean 96M -m rmapbt=1 -d agcount=4
XFS_MEBIBYTES=1 xfs_make_old old 96M -m crc=0
xfs_mount clean
xfs_freeze -f mounted
cp --sparse=always clean frozen
xfs_freeze -u mounted
cp /etc/services mounted/more
rm -r mounted/again
sync -f mounted
xfs_io -x -c 'shutdown -f' mounted
umount mounted
mv clean dirty
# In dirty the unmount of frozen is replayed, so all three are other states.
cp --sparse=always frozen clean
xfs_mount clean
umount mounted

python3 "$VPIPE_TOP/Tests/interop/guest-xfs-mutations.py" "$VPIPE_SEED" \
  "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 4000 || echo 60)" clean old frozen dirty
