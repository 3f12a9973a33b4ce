#!/bin/sh
# A GPT in sectors of 4096 bytes, made by sfdisk on a loop device, is understood on the device and in a file.
. "$(dirname "$0")/../cli/functions.sh"

requires sfdisk mkswap losetup
requires_root
noise 8M >part
cat part part part part >disk.raw
device=$(losetup --show -f -b 4096 disk.raw) || skip 'no loop devices'
later "detach $device"
printf 'label: gpt\nstart=256, size=2048, type=L\nsize=4096, type=S\n' | sfdisk -q "$device" 2>/dev/null
cat part part >area
chmod 600 area
mkswap -q area >/dev/null 2>&1
put_at disk.raw $(((256 + 2048) * 4096)) <area
sync
blockdev --flushbufs "$device"

cp disk.raw expected.raw
head -c $(((16 << 20) - 65536)) /dev/zero | put_at expected.raw $(((256 + 2048) * 4096 + 65536))
vread --raw --skip swap disk.raw | cmp - expected.raw
vread --raw --skip swap "$device" | cmp - expected.raw
vread --list --json "$device" >list
grep -q '"sector_size":4096' list
