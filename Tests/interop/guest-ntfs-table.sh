#!/bin/sh
# A master file table in so many pieces that other records tell where they are, a bitmap that ntfsresize made longer, and
# one in two pieces: what is free is known all the same.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-ntfs-functions"

requires ntfsresize

ntfs_make a.img 12M -c 1024
ntfs_mount a.img folder || fail "$(cat ntfs-log)"
# Small files until the volume is full; every second one goes; then tiny ones, whose records take the gaps.
perl -e '
  my $folder = shift;
  sub fill {
    my ($name, $size) = @_;
    my $count = 0;
    mkdir "$folder/$name";
    while (open my $file, ">:raw", "$folder/$name/$count") {
      print $file "y" x $size;
      close $file or last;
      $count++;
    }
    return $count;
  }
  my $count = fill("comb", 1024);
  unlink map { "$folder/comb/" . 2 * $_ } 0 .. $count / 2;
  $count = fill("tiny", 1);
  unlink map { "$folder/tiny/" . 3 * $_ } 0 .. $count / 3;
' folder
ntfs_sums folder >sums
ntfs_unmount folder
ntfsinfo -i 0 -v a.img >information 2>/dev/null
[ "$(grep -c 'Dumping attribute .DATA' information)" -gt 1 ] || fail 'the table is in one record'

same_files() {
  vread --raw --skip zero,free "$1" >copy.img
  echo "$1: $(ntfs_agrees "$1" copy.img)"
  ntfsfix -n copy.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
  ntfs_mount copy.img folder ro || fail "$(cat ntfs-log)"
  ntfs_sums folder | cmp - sums
  ntfs_unmount folder
}
same_files a.img

for size in 20M 60M; do
  truncate -s $size a.img
  ntfsresize -P -f -f a.img </dev/null >ntfs-log 2>&1 || fail "$(tail -n 3 ntfs-log)"
  # It asks for a check by Windows, which this is in place of.
  ntfsfix -d a.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
done
same_files a.img

# No tool makes a bitmap of several pieces at will: its second half is moved to free clusters, which ntfs-3g understands.
python3 - a.img <<'END'
import struct, sys
image = open(sys.argv[1], 'r+b')
def at(place, count):
    image.seek(place)
    return bytearray(image.read(count))
size = 1024
table = struct.unpack('<Q', at(48, 8))[0] * size
place = table + 6 * 1024
record = at(place, 1024)
fixups = struct.unpack_from('<H', record, 4)[0]
for piece in (1, 2):
    record[512 * piece - 2:512 * piece] = record[fixups + 2 * piece:fixups + 2 * piece + 2]
start = struct.unpack_from('<H', record, 20)[0]
while struct.unpack_from('<I', record, start)[0] != 0x80:
    start += struct.unpack_from('<I', record, start + 4)[0]
length = struct.unpack_from('<I', record, start + 4)[0]
runs = start + struct.unpack_from('<H', record, start + 32)[0]
head = record[runs]
count = int.from_bytes(record[runs + 1:runs + 1 + (head & 15)], 'little')
first = int.from_bytes(record[runs + 1 + (head & 15):runs + 1 + (head & 15) + (head >> 4)], 'little')
assert record[runs + 1 + (head & 15) + (head >> 4)] == 0 and count >= 4
bits = at(first * size, count * size)
half = count // 2
moved = count - half
free = lambda cluster: not bits[cluster // 8] >> cluster % 8 & 1
clusters = struct.unpack('<Q', at(40, 8))[0] * 512 // size
target = next(c for c in range(clusters - 1000, 0, -1) if all(free(c + n) for n in range(moved)))
for number in range(moved):
    old, new = first + half + number, target + number
    bits[old // 8] &= ~(1 << old % 8)
    bits[new // 8] |= 1 << new % 8
image.seek(first * size)
image.write(bits[:half * size])
image.seek(target * size)
image.write(bits[half * size:])
pairs = b''.join(b'\x44' + struct.pack('<Ii', n, d) for n, d in ((half, first), (moved, target - first))) + b'\0'
pairs += bytes(-len(pairs) % 8)
rest = record[start + length:]
record[runs:] = pairs + rest
grown = runs + len(pairs) - start
struct.pack_into('<I', record, start + 4, grown)
struct.pack_into('<I', record, 24, struct.unpack_from('<I', record, 24)[0] + grown - length)
record = record[:1024]
for piece in (1, 2):
    record[fixups + 2 * piece:fixups + 2 * piece + 2] = record[512 * piece - 2:512 * piece]
    record[512 * piece - 2:512 * piece] = record[fixups:fixups + 2]
image.seek(place)
image.write(record)
END
ntfsinfo -i 6 -v a.img 2>/dev/null | grep -q 'Total runs: 2' || fail 'the bitmap is in one piece'
same_files a.img
