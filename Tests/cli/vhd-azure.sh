#!/bin/sh
# --azure makes a fixed disk of whole MiB, and a partition table's backup moves to its new end.
. "$(dirname "$0")/functions.sh"

requires sgdisk python3

# grown SOURCE: as a file and through a pipe the same bytes, of the size that Azure wants, and accepted by check.
grown() {
  vhd convert "$1" azure.vhd --azure --force --quiet
  vread "$1" | vhd create --azure --quiet | cat >piped.vhd
  for image in azure piped; do vhd convert $image.vhd $image.raw --force; done
  same azure.raw piped.raw
  vhd check --azure --quiet azure.vhd
  size=$(size "$1")
  expected=$(((size + (1 << 20) - 1) >> 20 << 20))
  [ "$expected" -ge $((20 << 20)) ] || expected=$((20 << 20))
  is "$(size azure.raw)" "$expected"
  is "$(size azure.vhd)" $((expected + 512))
}

# Disks without a partition table keep their bytes, with zeros behind them.
for size in 1 512 1048576 $((20 << 20)) $(((20 << 20) + 1)) $(((30 << 20) - 512)); do
  rm -f plain.raw
  truncate -s "$size" plain.raw
  tail=$((size < 5000 ? size : 5000))
  noise $tail | put_at plain.raw 0
  noise $tail 2 | put_at plain.raw $((size - tail))
  grown plain.raw
  cp plain.raw expected
  truncate -s "$(size azure.raw)" expected
  same azure.raw expected
done

# With 512-byte sectors: each growth, among them one so small that new and old backup overlap.
for size in $((21 << 20)) $(((21 << 20) - 512)) $(((21 << 20) + 512)) $(((21 << 20) - 20 * 512)) $((3 << 20)); do
  rm -f gpt.raw
  truncate -s "$size" gpt.raw
  sgdisk -n 1:64:+1M -t 1:8300 -c 1:data gpt.raw >/dev/null
  noise 1M | put_at gpt.raw $((64 * 512))
  grown gpt.raw
  works sgdisk -v azure.raw
  shows 'No problems found'
  works sgdisk -i 1 azure.raw
  shows "Partition name: 'data'"
  # All of the partition, and everything else that is not the table, is as it was.
  cmp -n $((2 << 20)) -i $((34 * 512)) gpt.raw azure.raw
  if [ "$size" = $((21 << 20)) ]; then same azure.raw gpt.raw; fi
done

# With 4096-byte sectors, which sgdisk does not do in a file.
rm -f gpt.raw
python3 - <<'END'
import struct, zlib
unit, sectors = 4096, (21 << 20) // 4096 + 3
entries = struct.pack("<16s16sQQQ72s", bytes(range(1, 17)), bytes(16), 64, 1000, 0, "data".encode("utf-16le"))
entries += bytes(128 * 128 - len(entries))
def header(own, other, start):
    h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, 6, sectors - 6, bytes(16), start, 128,
                    128, zlib.crc32(entries))
    return h[:16] + struct.pack("<I", zlib.crc32(h)) + h[20:]
with open("gpt.raw", "wb") as f:
    f.truncate(unit * sectors)
    f.seek(446); f.write(struct.pack("<8sII", b"\0\0\2\0\xee\xff\xff\xff", 1, sectors - 1))
    f.seek(510); f.write(b"\x55\xaa")
    f.seek(unit); f.write(header(1, sectors - 1, 2))
    f.seek(2 * unit); f.write(entries)
    f.seek((sectors - 5) * unit); f.write(entries)
    f.seek((sectors - 1) * unit); f.write(header(sectors - 1, 1, sectors - 5))
END
grown gpt.raw
python3 - <<'END'
import struct, zlib
unit = 4096
data = open("azure.raw", "rb").read()
last = len(data) // unit - 1
def header(at):
    h = bytearray(data[at * unit:at * unit + 92])
    check = struct.unpack_from("<I", h, 16)[0]
    h[16:20] = bytes(4)
    assert zlib.crc32(bytes(h)) == check, at
    own, other, first, end = struct.unpack_from("<QQQQ", h, 24)
    start, count, size, entries = struct.unpack_from("<QIII", h, 72)
    table = data[start * unit:start * unit + count * size]
    assert zlib.crc32(table) == entries, at
    return own, other, end, start, table
first, second = header(1), header(last)
assert first[:4] == (1, last, last - 5, 2), first[:4]
assert second[:4] == (last, 1, last - 5, last - 4), second[:4]
assert first[4] == second[4]
assert struct.unpack_from("<I", data, 458)[0] == last
END

# A table that cannot be moved is told, and check says that it is not where it belongs.
truncate -s $(((21 << 20) + 512)) gpt.raw
sgdisk -o -n 1:64:+1M gpt.raw >/dev/null 2>&1
flip gpt.raw 1030
fails 0 vhd convert gpt.raw stuck.vhd --azure
says 'warning: the disk grows, but the backup of its partition table stays: its header or its entries are damaged'

# A disk that was padded by something else.
truncate -s $((21 << 20)) padded.raw
sgdisk -n 1:64:+1M padded.raw >/dev/null
truncate -s $((22 << 20)) padded.raw
vhd convert padded.raw padded.vhd
fails 1 vhd check --azure padded.vhd
shows 'GPT backup at byte 23068160: the disk does not end with a sound one'

# What Azure does not take.
truncate -s 1G disk.raw
vhd convert disk.raw dynamic.vhd --type dynamic
fails 1 vhd check --azure dynamic.vhd
shows 'Azure takes fixed disks, this one is dynamic'
truncate -s $(((30 << 20) + 512)) disk.raw
vhd convert disk.raw odd.vhd
fails 1 vhd check --azure odd.vhd
shows 'Azure takes multiples of 1 MiB, this disk has 31457792 bytes'
truncate -s 10M disk.raw
vhd convert disk.raw small.vhd
fails 1 vhd check --azure small.vhd
shows 'Azure takes disks from 20971520 bytes on, this one has 10485760'

# A swap partition is no problem, but worth a word.
truncate -s 30M swap.raw
sgdisk -n 1:2048:+10M -t 1:8200 swap.raw >/dev/null
truncate -s 10M swap
mkswap swap >/dev/null 2>&1
head -c 4096 swap | put_at swap.raw 1048576
vhd convert swap.raw swap.vhd --azure
works vhd check --azure swap.vhd
shows 'note: partition 1 at byte 1048576: swap'
