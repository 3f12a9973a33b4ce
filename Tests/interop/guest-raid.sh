#!/bin/sh
# Members of Linux' software RAID are read whole, whatever the version of their superblock, also where the start of a
# mirror looks like a plain file system or a plain disk.
. "$(dirname "$0")/../cli/functions.sh"

requires mdadm mkfs.fat sgdisk mkswap python3

# superblock VERSION: writes the superblock of a mirror into member.raw where mdadm looks for it.
superblock() {
  python3 - "$1" <<'EOF'
import os, struct, sys
version = sys.argv[1]
with open("member.raw", "r+b") as image:
    size = image.seek(0, os.SEEK_END)
    if version == "0.90":
        at = (size & ~0xffff) - 0x10000
        block = bytearray(4096)
        struct.pack_into("<10I", block, 0, 0xa92b4efc, 0, 90, 0, 1000, 0x11111111, 1700000000, 1, (at >> 10), 2)
        struct.pack_into("<6I", block, 40, 2, 0, 0, 0x22222222, 0x33333333, 0x44444444)
        struct.pack_into("<7I", block, 128, 1700000000, 1, 2, 2, 0, 0, 0)
        struct.pack_into("<5I", block, 512, 0, 8, 1, 0, 6)
        struct.pack_into("<5I", block, 3968, 0, 8, 1, 0, 6)
        total = sum(struct.unpack("<1024I", block))
        struct.pack_into("<I", block, 152, (total & 0xffffffff) + (total >> 32) & 0xffffffff)
    else:
        at = {"1.0": (size // 512 - 16) // 8 * 8 * 512, "1.1": 0, "1.2": 4096}[version]
        block = bytearray(256 + 2 * 2)
        data = 0 if version == "1.0" else 2048
        struct.pack_into("<4I", block, 0, 0xa92b4efc, 1, 0, 0)
        block[16:32] = bytes(range(16))
        block[32:40] = b"host:md0"
        struct.pack_into("<QiIQII", block, 64, 1700000000, 1, 0, 8192, 0, 2)
        struct.pack_into("<QQQ", block, 128, data, (size // 512) - data - 16, at // 512)
        struct.pack_into("<I", block, 220, 2)
        struct.pack_into("<2H", block, 256, 0, 1)
        total = sum(struct.unpack("<65I", block))
        struct.pack_into("<I", block, 216, (total & 0xffffffff) + (total >> 32) & 0xffffffff)
    image.seek(at)
    image.write(block)
EOF
}

for version in 0.90 1.0 1.1 1.2; do
  noise 8M >member.raw
  mkfs.fat -F 16 -s 1 member.raw >/dev/null
  superblock $version
  works mdadm --examine member.raw
  shows 'Raid Level : raid1' "Version : $version"
  works vread --list member.raw
  shows 'Linux RAID member' "RAID 1, metadata $version: read whole"
  works vread --skip zero,free --raw member.raw
  same member.raw stdout
done

# A disk with a table, mirrored as a whole: what its partitions call swap or free is read.
for version in 0.90 1.0; do
  noise 8M >member.raw
  sgdisk --clear -n 1:2048:8191 -t 1:8200 -n 2:8192:12287 member.raw >/dev/null
  truncate -s 3M area
  mkswap area >/dev/null 2>&1
  put_at member.raw $((1 << 20)) <area
  superblock $version
  works vread --skip zero,free,swap --raw member.raw
  same member.raw stdout
  says "the disk as a whole looks like Linux RAID member (RAID 1, metadata $version: read whole)"
done
