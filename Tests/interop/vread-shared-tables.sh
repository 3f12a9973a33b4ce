#!/bin/sh
# Small files whose tables lead to the same places again and again cost no more than their bytes; honest images with
# little in them cost nothing, however large their disks are.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io python3

cat >shared.py <<'EOS'
import struct, sys
kind, name = sys.argv[1:3]
K, M = 1 << 10, 1 << 20


def write(pieces, size):
    with open(name, "wb") as file:
        for at, data in pieces:
            file.seek(at)
            file.write(data)
        file.truncate(size)


def qcow2(bits, entries, size, first, pieces, end):
    head = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, bits, size, 0, entries, 1 << bits, 0, 0, 0, 0, 0, 0,
                       0, 4, 104)
    write([(0, head), (1 << bits, first)] + pieces, end)


def vmdk(tables, size_sectors, directory, pieces, end):
    text = f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\nRW {size_sectors} SPARSE "{name}"\n'
    head = struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 1, 1, size_sectors, 128, 1, 20, 512, 0, 64, 4096, 0, b"\n \r\n", 0)
    write([(0, head), (512, text.encode()), (64 * 512, directory)] + pieces, end)


if kind == "qcow2":
    # A first table of 32 MiB: 4 Mi times the same table, of 2 MiB of one cluster.
    entries = 4 << 20
    first = struct.pack(">Q", 34 * M + (2 * M)) * entries
    second = struct.pack(">Q", 1 << 63 | 38 * M) * (256 * K)
    qcow2(21, entries, (512 << 30) * entries // 2, first, [(36 * M, second)], 40 * M)
elif kind == "qed":
    first = struct.pack("<Q", 2 * M) * (128 * K)
    second = struct.pack("<Q", 3 * M) * (128 * K)
    head = struct.pack("<4sIIIQQQQQII", b"QED\0", M, 1, 1, 0, 0, 0, M, (128 * K) ** 2 * M >> 1, 0, 0)
    write([(0, head), (M, first), (2 * M, second)], 4 * M)
elif kind == "vmdk":
    vmdk(1 << 20, 1 << 36, struct.pack("<I", 16384) * (1 << 20), [(16384 * 512, struct.pack("<I", 16400) * 512)], 10 * M)
elif kind == "data":
    # Each table once, but all entries lead to one cluster of 2 MiB.
    second = struct.pack(">Q", 1 << 63 | 8 * M) * (256 * K)
    qcow2(21, 2, 1 << 40, struct.pack(">QQ", 4 * M, 6 * M), [(4 * M, second), (6 * M, second)], 10 * M)
elif kind == "vdi":
    head = bytearray(512)
    struct.pack_into("<IIII", head, 64, 0xBEDA107F, 0x10001, 400, 1)
    struct.pack_into("<II", head, 340, 512, 2 * M)
    struct.pack_into("<IIQII", head, 360, 512, 0, 256 * K * M, M, 0)
    struct.pack_into("<II", head, 384, 256 * K, 256 * K)
    write([(0, head), (512, b"\0" * 4 * 256 * K)], 3 * M)
elif kind == "overlap":
    # The second of two tables begins inside the first.
    tables = struct.pack("<512I", 16400, *[0] * 511)
    vmdk(2, 131072, struct.pack("<II", 16385, 16384), [(16384 * 512, tables)], 10 * M)
elif kind == "empty":
    # One table without entries is named for all but the last.
    first = struct.pack("<8I", *[16384] * 7, 16388)
    tables = b"\0" * 2048 + struct.pack("<512I", 16400, *[0] * 511)
    vmdk(8, 8 * 65536, first, [(16384 * 512, tables), (16400 * 512, b"data" * 16384)], 10 * M)
EOS

for kind in qcow2 qed vmdk; do
  echo "* one table many times: $kind"
  python3 shared.py $kind $kind.image
  fails 65 timeout 20 vhd info $kind.image
  says 'is that of other blocks as well'
  fails 65 timeout 20 vread --list $kind.image
  fails 65 timeout 20 vread --raw $kind.image
  [ ! -s stdout ] || fail "$kind: bytes were given"
done
python3 shared.py overlap overlap.image
fails 65 vhd info overlap.image
says 'VMDK grain directory at byte 32768' 'is that of other blocks as well'

for kind in data vdi; do
  echo "* one place for many blocks: $kind"
  python3 shared.py $kind $kind.image
  fails 65 timeout 20 vhd info $kind.image
  says 'they share their places'
  # shellcheck disable=SC2016
  fails 65 timeout 20 sh -c 'vread "$1" >/dev/null' sh $kind.image
  says 'they share their places'
done

echo '* a table without entries may be named often'
python3 shared.py empty empty.image
truncate -s $((8 * 33554432)) empty.raw
yes 'data' | tr -d '\n' | head -c 65536 | put_at empty.raw $((7 * 33554432))
works vhd info empty.image
vread --raw empty.image | cmp - empty.raw

echo '* disks of 60 TiB with little in them'
for format in qcow2 qed vmdk; do
  rm -f large.image
  qemu-img create -q -f $format large.image 60T 2>/dev/null || qemu-img create -q -f $format large.image 2T
  # From the end to the start: the tables lie in the opposite order.
  for place in 2000G 1000G 500G 1G 0; do
    qemu-io -f $format -c "write -q -P 7 $place 64K" large.image
  done
  works timeout 20 vhd info large.image
  works timeout 20 vread --list large.image
  works timeout 20 vhd ranges large.image
  is "$(grep -c . stdout)" 5
done
