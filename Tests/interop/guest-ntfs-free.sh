#!/bin/sh
# NTFS with clusters and sectors of any size, aged until it is fragmented: of the copy without free space, ntfsfix says that
# it is in order, every file has its hash, and what is left out is free for partclone, too.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-ntfs-functions"

# check CLUSTER SECTOR SIZE COUNT
check() {
  ntfs_make a.img "$3" -c "$1" -s "$2"
  ntfs_mount a.img folder || fail "$(cat ntfs-log)"
  ntfs_fill folder "$4"
  ntfs_sums folder >sums
  ntfs_unmount folder
  [ "$(wc -l <sums)" -gt $(($4 * 2)) ] || fail "only $(wc -l <sums) files"
  works vread --raw --skip zero,free a.img
  cp stdout copy.img
  echo "clusters of $1, sectors of $2: $(ntfs_agrees a.img copy.img)"
  # The copy of the boot sector, which is in no cluster.
  tail -c "$2" copy.img >end
  tail -c "$2" a.img | cmp - end
  ntfsfix -n copy.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
  grep -q 'was processed successfully' ntfs-log || fail "$(cat ntfs-log)"
  ntfs_mount copy.img folder ro || fail "$(cat ntfs-log)"
  ntfs_sums folder | cmp - sums
  ntfs_unmount folder
}

check 512 512 12M 100
check 4096 512 24M 200
check 4096 4096 24M 100
check 65536 512 80M 50
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  check 512 512 40M 3000
  check 4096 512 100M 5000
  check 1024 1024 24M 1000
  check 2048 512 24M 1000
  check 8192 512 40M 500
  check 16384 2048 64M 500
  check 32768 512 64M 500
  check 65536 4096 96M 300
  check 262144 512 200M 100
  check 1048576 512 1G 50
  check 2097152 512 2G 50
fi
