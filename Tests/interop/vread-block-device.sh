#!/bin/sh
# A block device is read like a file, with the size that the kernel tells.
. "$(dirname "$0")/../cli/functions.sh"

requires losetup
requires_root
small_disk disk.raw
truncate -s 12583424 disk.raw
device=$(losetup --show -f disk.raw) || skip 'no loop devices'
later "losetup -d $device"
vread --raw "$device" | cmp - disk.raw
works vread --list "$device"
shows "$(basename "$device"): 12.0 MiB (12583424 bytes), raw"
vread "$device" >stream
[ "$(size stream)" -lt 6000000 ] || fail 'zeros were carried'
