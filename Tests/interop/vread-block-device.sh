#!/bin/sh
# A block device is read like a file, with the size that the kernel tells.
. "$(dirname "$0")/../cli/functions.sh"

requires losetup
requires_root
small_disk disk.raw
truncate -s 12583424 disk.raw
device=$(losetup --show -f disk.raw) || skip 'no loop devices'
later "detach $device"
vread --raw "$device" | cmp - disk.raw
works vread --list "$device"
shows "$(basename "$device"): 12.0 MiB (12583424 bytes), raw"
vread "$device" >stream
[ "$(size stream)" -lt 6000000 ] || fail 'zeros were carried'

# What lies on a device may be a guest's: a device that looks like an image is not taken for one unasked.
requires qemu-img
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on disk.raw disk.vhd
cp disk.vhd backing
truncate -s %512 backing
image=$(losetup --show -f backing)
later "detach $image"
fails 64 vread "$image" >stream
says "$image" 'looks like vhd' '--format vhd or --format raw'
vread --raw --format vhd "$image" | cmp - disk.raw
vread --raw --format raw "$image" | cmp - backing
fails 64 vstore put -r R --name a "$image"

# A disk that a mounted file system writes to is no backup of any one moment.
requires mke2fs
requires_mount ext4
truncate -s 32M live.raw
mke2fs -q -F -t ext4 live.raw
live=$(losetup --show -f live.raw)
later "detach $live"
mkdir mounted
mount "$live" mounted
later 'umount mounted 2>/dev/null'
noise 12M >mounted/much
sync
works vread --skip zero,free "$live"
never_says changed
mkfifo slow
vread --skip zero,free "$live" 2>stderr >slow &
reader=$!
exec 3<slow
head -c 10 <&3 >/dev/null
noise 1M >mounted/file
sync -f mounted
cat <&3 >/dev/null
wait "$reader"
says "$live changed while it was read"
