#!/bin/sh
# Partitions and disks that were one thing and became another, with what they were still to be seen: all is read.
. "$(dirname "$0")/../cli/functions.sh"

requires sgdisk sfdisk mkswap mke2fs losetup
requires_root
requires_mount ext4

# inside IMAGE START: puts a file system with random files at a sector of it.
inside() {
  loop=$(losetup --show -f --offset $(($2 * 512)) "$1") || skip 'no loop devices'
  later "detach $loop"
  mke2fs -q -t ext4 "$loop"
  mkdir -p mounted
  mount "$loop" mounted
  later 'umount mounted 2>/dev/null'
  noise 12M "$2" >mounted/file
  umount mounted
  detach "$loop"
}

# whole WORDS...: the only partition of disk.raw is what part.raw is, and all of it is read.
whole() {
  truncate -s 66M disk.raw
  sgdisk --clear -n 1:2048:133119 disk.raw >/dev/null
  put_at disk.raw $((1 << 20)) <part.raw
  works vread --skip zero,free,swap --raw disk.raw
  same disk.raw stdout
  says "$@"
  rm disk.raw
}

# A swap partition that became the disk of a virtual machine, which wrote a table and a file system into it.
truncate -s 64M part.raw
mkswap -q part.raw
echo 'start=2048, type=83' | sfdisk -q part.raw
inside part.raw 2048
whole 'looks like Linux swap and MBR partition table: nothing of it is skipped'

# The same with a file system, whose bitmaps are all there still.
rm part.raw
truncate -s 64M part.raw
mke2fs -q -F -t ext4 part.raw
echo 'start=80000, type=83' | sfdisk -q part.raw
inside part.raw 80000
whole 'looks like ext4 and MBR partition table'

# A disk with a table on which mkswap was called as a whole, and to which a machine has suspended.
truncate -s 64M whole.raw
echo 'start=2048, type=83' | sfdisk -q whole.raw
inside whole.raw 2048
mkswap -q whole.raw 2>/dev/null
noise 30M 7 | put_at whole.raw 30000000
printf S1SUSPEND | put_at whole.raw 4086
works vread --skip zero,free,swap --raw whole.raw
same whole.raw stdout
says 'the disk as a whole looks like Linux suspend image'

# Of two swap areas one holds a suspended machine, the other what it had swapped out before, and its file system may be
# newer in its memory than on the disk: it needs all of them. Once it has woken up, it does not.
truncate -s 100M disk.raw
sgdisk --clear -n 1:2048:+60M -n 2:0:+10M -n 3:0:+10M disk.raw >/dev/null
inside disk.raw 2048
for start in 61 71; do
  truncate -s 10M area
  mkswap -q area 2>/dev/null
  noise 9M $start | put_at area $((1 << 20))
  put_at disk.raw $((start << 20)) <area
done
cp disk.raw awake.raw
printf S1SUSPEND | put_at disk.raw $(((71 << 20) + 4086))
works vread --skip zero,free,swap --raw disk.raw
same disk.raw stdout
says 'a machine has suspended to partition 3, and may need everything when it wakes'
works vread --skip zero,free,swap --list awake.raw
never_says suspended
shows "MiB swap"
rm disk.raw awake.raw

# The mirror of DRBD has its own data behind the file system, which looks like a plain one.
if command -v drbdmeta >/dev/null; then
  rm part.raw
  truncate -s 64M part.raw
  mke2fs -q -F -t ext4 part.raw 60M
  loop=$(losetup --show -f part.raw) || skip 'no loop devices'
  later "detach $loop"
  drbdmeta --force 0 v09 "$loop" internal create-md 1 >/dev/null 2>&1
  detach "$loop"
  whole 'looks like ext4 and DRBD member'
fi
