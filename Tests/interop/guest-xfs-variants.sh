#!/bin/sh
# Free space of XFS, whatever features mkfs.xfs gives it, is skipped: all of it, and nothing else.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-xfs-functions"

# variant NAME SIZE OPTION...: one file system with files.
variant() {
  name=$1.img
  shift
  xfs_make "$name" "$@"
  xfs_proves "$name"
  rm -f "$name"
}

# old NAME SIZE OPTION...: one of version 4.
old() {
  name=$1.img
  shift
  xfs_make_old "$name" "$@"
  xfs_proves "$name" unmounted
  rm -f "$name"
}

variant default 96M
variant reverse 160M -d agcount=5 -b size=1024 -m rmapbt=1 -i nrext64=1
old version4 96M -m crc=0 -b size=512
# The blocks of free-space trees count as free, and only the trees tell how many there are.
old version4-old 96M -m crc=0 -b size=512 -l version=1,lazy-count=0 -i attr=1,projid32bit=0 -n ftype=0
[ "${VPIPE_ALL:-0}" = 1 ] || exit 0

for size in 1024 2048 4096 8192 16384 32768 65536; do
  room=400M
  [ $size -lt 65536 ] || room=900M
  variant block-$size $room -b size=$size
  variant block-$size-all $room -b size=$size -m rmapbt=1,reflink=1 -i nrext64=1 -n size=65536
  variant block-$size-none $room -b size=$size -m rmapbt=0,reflink=0,bigtime=0,finobt=0,inobtcount=0 -i sparse=0,nrext64=0
done
for size in 512 1024 2048; do
  variant inode-$size 400M -i size=$size
  variant inode-$size-dense 400M -i size=$size,sparse=0
done
for size in 512 1024 2048 4096 8192 16384 32768 65536; do
  room=400M
  [ $size -lt 65536 ] || room=900M
  old version4-$size $room -m crc=0 -b size=$size
  old version4-$size-old $room -m crc=0 -b size=$size -l version=1,lazy-count=0 -i attr=1,projid32bit=0 -n ftype=0
  [ $size -lt 4096 ] || old version4-$size-sector $room -m crc=0 -b size=$size -s size=4096 -n ftype=1
done
XFS_MEBIBYTES=32
variant sector 400M -s size=4096
variant stripe 400M -d su=64k,sw=2 -l su=256k
variant groups-2 400M -d agcount=2
variant groups-40 3G -d agcount=40
variant odd 400003K -d agcount=3
variant own-id 400M -m uuid=11111111-2222-3333-4444-555555555555 -L label

# Newer features than mkfs.xfs has: it is told by hand that there are parent pointers and exchanged ranges, and the kernel
# writes them. xfs_db and xfs_repair do not know them.
XFS_MEBIBYTES=8
xfs_format parent.img 300M
python3 - parent.img <<'PYTHON'
import struct, sys
table = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    table.append(number)
with open(sys.argv[1], "r+b") as image:
    head = image.read(96)
    block, = struct.unpack(">I", head[4:8])
    size, count = struct.unpack(">II", head[84:92])
    for group in range(count):
        image.seek(group * size * block)
        sector = bytearray(image.read(512))
        sector[219] |= 0xC0
        sector[224:228] = bytes(4)
        value = 0xFFFFFFFF
        for byte in sector:
            value = table[(value ^ byte) & 0xFF] ^ value >> 8
        sector[224:228] = struct.pack("<I", value ^ 0xFFFFFFFF)
        image.seek(group * size * block)
        image.write(sector)
PYTHON
if xfs_mount parent.img 2>/dev/null; then
  python3 "$VPIPE_TOP/Tests/interop/age.py" mounted 8
  umount mounted
  works vread --skip zero,free --raw parent.img
  mv stdout copy
  never_says 'read whole'
  xfs_hashes parent.img >before
  xfs_hashes copy >after
  same before after
else
  echo 'the kernel has no parent pointers'
fi
