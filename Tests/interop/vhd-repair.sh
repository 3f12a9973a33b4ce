#!/bin/sh
# repair replays a log as qemu does, puts back footers that were lost, says what it cannot do, and spoils nothing.
cache=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../cli/functions.sh"

requires python3 qemu-img
small_disk disk.raw
truncate -s 40M disk.raw
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw dynamic.vhdx

echo '* nothing to do'
for image in fixed.vhd dynamic.vhd dynamic.vhdx; do
  works vhd repair $image
  shows "$image: no problem"
  absent $image.repaired
done

echo '* a footer that was cut off, or partly'
for cut in 512 511 400 200 100 1; do
  head -c $(($(size dynamic.vhd) - cut)) dynamic.vhd >cut.vhd
  works vhd repair cut.vhd --force
  shows 'cut.vhd: repaired: VHD footer at byte'
  same cut.vhd.repaired dynamic.vhd
done
head -c $(($(size fixed.vhd) - 300)) fixed.vhd >cut.vhd
works vhd repair cut.vhd -o whole.vhd
same whole.vhd fixed.vhd
head -c $(($(size dynamic.vhd) - 5000)) dynamic.vhd >cut.vhd
cp cut.vhd before
fails 65 vhd repair --in-place cut.vhd
shows 'cut.vhd: cannot be brought back:' 'cut.vhd: nothing can be repaired'
same cut.vhd before
head -c $(($(size fixed.vhd) - 512)) fixed.vhd >cut.vhd
fails 65 vhd repair cut.vhd -o none.vhd
absent none.vhd

echo '* both footers, at different places, and the header'
cp dynamic.vhd bad.vhd
flip bad.vhd 50
flip bad.vhd -480
flip bad.vhd 531
works vhd repair --dry-run bad.vhd
shows 'would be repaired'
absent bad.vhd.repaired
works vhd repair --in-place bad.vhd
same bad.vhd dynamic.vhd

echo '* two footers with right checksums that tell of different disks: what is read does not change'
cp dynamic.vhd bad.vhd
cat >reseal.py <<'P'
import sys
name, difference = sys.argv[1:]
with open(name, "r+b") as file:
    file.seek(-512, 2)
    footer = bytearray(file.read())
    footer[36:40] = b"Beos"
    footer[48:56] = (int.from_bytes(footer[48:56], "big") + int(difference)).to_bytes(8, "big")
    footer[64:68] = bytes(4)
    footer[64:68] = (~sum(footer) & 0xffffffff).to_bytes(4, "big")
    file.seek(-512, 2)
    file.write(footer)
P
python3 reseal.py bad.vhd -1048576
cp bad.vhd before
fails 1 vhd repair --in-place bad.vhd
shows "VHD footer's copy at byte 36: differs from the footer at the end"
same bad.vhd before
# By a footer with a block more than the table has nothing can be read.
python3 reseal.py bad.vhd 2097152
works vhd repair --in-place bad.vhd
same bad.vhd dynamic.vhd

echo '* what was asked for'
cp dynamic.vhd bad.vhd
flip bad.vhd 20
fails 64 vhd repair bad.vhd -o bad.vhd --force
fails 64 vhd repair bad.vhd -o dynamic.vhd
says 'dynamic.vhd: exists'
fails 64 vhd repair bad.vhd -o x.vhd --in-place
works vhd repair bad.vhd -o x.vhd --json
python3 -c '
import json
report = json.load(open("stdout"))
assert report["output"] == "x.vhd" and report["remaining"] == [], report
assert [item["structure"] for item in report["repaired"]] == ["VHD footer'"'"'s copy"], report'
same x.vhd dynamic.vhd
# A sound change, and one that cannot be undone: status 1 or 65, and the rest is done.
printf '\0\0\0\1' | put_at bad.vhd 1540
fails 65 vhd repair bad.vhd -o y.vhd
shows 'repaired: VHD footer' 'cannot be brought back: VHD block table at byte 1540'
[ -e y.vhd ]

echo '* a log is replayed, in a copy and in place'
cat >log.py <<'P'
import os, sys
sys.path.insert(0, os.environ["VPIPE_TOP"] + "/Tests/interop")
from mutate import write_log
end = os.path.getsize(sys.argv[1])
write_log(sys.argv[1], {end - 4096: bytes([7]) * 4096, end - 65536: 16384, end - 61440: bytes(range(256)) * 16,
                        end - 40960: bytes([9]) * 4096})
P
cp dynamic.vhdx log.vhdx
python3 -B log.py log.vhdx
cp log.vhdx qemu.vhdx
cp log.vhdx placed.vhdx
fails 1 vhd check log.vhdx
works vhd repair log.vhdx -o ours.vhdx
shows 'VHDX log at byte 1048576: the changes of 4 entries are in their places' 'ours.vhdx: made'
works vhd check ours.vhdx
qemu-img check -q -r all -f vhdx qemu.vhdx
qemu-img check -q -f vhdx ours.vhdx
qemu-img compare -f vhdx -F vhdx ours.vhdx qemu.vhdx
vread --raw log.vhdx >log.raw
qemu-img compare -f vhdx -F raw ours.vhdx log.raw
works vhd repair --in-place placed.vhdx
works vhd check placed.vhdx
qemu-img compare -f vhdx -F vhdx placed.vhdx qemu.vhdx

echo '* the header that a log needs is not given up for an older one'
cp log.vhdx bad.vhdx
python3 - <<'P'
data = open("bad.vhdx", "rb").read()
numbers = [int.from_bytes(data[at + 8:at + 16], "little") for at in (65536, 131072)]
open("newer", "w").write(str(65536 if numbers[0] > numbers[1] else 131072))
P
flip bad.vhdx $(($(cat newer) + 55)) 16
works vhd repair --in-place bad.vhdx
shows 'as it was: its checksum proves it' 'the changes of 4 entries are in their places'
qemu-img compare -f vhdx -F vhdx bad.vhdx qemu.vhdx

echo '* a block that is not in the table any more'
cat >table.py <<'P'
import struct, sys
# The place of the block table.
with open(sys.argv[1], "rb") as file:
    file.seek(196608 + 16)
    entries = [file.read(32) for _ in range(2)]
print(next(struct.unpack("<Q", e[16:24])[0] for e in entries if e[:4] == bytes.fromhex("6677c22d")))
P
cp dynamic.vhdx bad.vhdx
table=$(python3 table.py bad.vhdx)
head -c 8 /dev/zero | put_at bad.vhdx "$table"
lost='bytes belong to no block, yet hold data'
works vhd check -q bad.vhdx
shows 'warning: VHDX file at byte' "$lost"
works vhd repair -q bad.vhdx
shows "$lost"
flip bad.vhdx 65600
works vhd repair bad.vhdx --force
shows 'repaired: VHDX header' "$lost"
works vhd repair bad.vhdx --force --json
python3 -c '
import json
report = json.load(open("stdout"))
assert len(report["warnings"]) == 1 and report["remaining"] == [], report'

echo '* what an interrupted change of size leaves in the table'
qemu-img convert -f raw -O vhdx -o block_size=1M,subformat=fixed disk.raw beyond.vhdx
end=$(size beyond.vhdx)
truncate -s +1M beyond.vhdx
python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("<Q", int(sys.argv[1]) | 6))' "$end" |
  put_at beyond.vhdx $(($(python3 table.py beyond.vhdx) + 40 * 8))
fails 1 vhd check beyond.vhdx
shows "an entry beyond the disk's end is used"
cp beyond.vhdx full.vhdx
works vhd repair --in-place beyond.vhdx
shows "no block is behind the disk's end"
works vhd check beyond.vhdx
qemu-img compare -q -f vhdx -F raw beyond.vhdx disk.raw
# With data in it, the size may be what is wrong.
echo data | put_at full.vhdx $((end + 5000))
fails 1 vhd repair --in-place full.vhdx
shows 'nothing can be repaired'
# Entries that all name one place have it read once: 2 TiB would be read otherwise.
qemu-img convert -f raw -O vhdx -o block_size=16M disk.raw many.vhdx
end=$((($(size many.vhdx) + 0xfffff) >> 20 << 20))
head -c 16M /dev/zero | put_at many.vhdx "$end"
cat >many.py <<'P'
import struct, sys
name, place, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(name, "r+b") as file:
    def entry(place, id):
        file.seek(place)
        return next(found for found in (file.read(32) for _ in range(8)) if found[:4].hex() == id)
    # The disk's size, then all of the table behind the entries of its first three blocks.
    metadata = struct.unpack("<Q", entry(196608 + 16, "06a27c8b")[16:24])[0]
    item = struct.unpack("<I", entry(metadata + 32, "2442a52f")[16:20])[0]
    table, length = struct.unpack("<QI", entry(196608 + 16, "6677c22d")[16:28])
    file.seek(metadata + item)
    file.write(struct.pack("<Q", size))
    file.seek(table + 3 * 8)
    file.write(struct.pack("<Q", place | 6) * (length // 8 - 3))
P
python3 many.py many.vhdx "$end" "$(size disk.raw)"
cp many.vhdx full.vhdx
works timeout 60 vhd repair --in-place many.vhdx
shows "no block is behind the disk's end"
qemu-img compare -q -f vhdx -F raw many.vhdx disk.raw
echo data | put_at full.vhdx $((end + (16 << 20) - 6))
fails 1 timeout 60 vhd repair --in-place full.vhdx
shows 'nothing can be repaired'
# More of them than are kept.
qemu-img create -q -f vhdx -o block_size=1M many.vhdx 2T
python3 many.py many.vhdx 16777216 3145728
fails 1 vhd check many.vhdx
shows "an entry beyond the disk's end is used" 'more of these are not listed'
fails 1 vhd repair many.vhdx
shows 'nothing can be repaired'

if samples=$(XDG_CACHE_HOME=$cache "$VPIPE_TOP/Tests/interop/fetch-qemu-samples"); then
  echo '* a log of qemu'
  cp --sparse=always "$samples/iotest-dirtylog-10G-4M.vhdx" dirty.vhdx
  cp --sparse=always dirty.vhdx qemu.vhdx
  works vhd repair dirty.vhdx
  qemu-img check -q -r all -f vhdx qemu.vhdx
  qemu-img check -q -f vhdx dirty.vhdx.repaired
  qemu-img compare -f vhdx -F vhdx dirty.vhdx.repaired qemu.vhdx
fi
