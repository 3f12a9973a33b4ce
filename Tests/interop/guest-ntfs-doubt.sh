#!/bin/sh
# NTFS that was not unmounted, that is hibernated, that has shadow copies or damage is read whole, and a warning says why.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-ntfs-functions"

ntfs_make clean.img 8M
ntfs_mount clean.img folder || fail "$(cat ntfs-log)"
noise 2M >folder/deleted
rm folder/deleted
mkdir 'folder/System Volume Information'
echo none >'folder/System Volume Information/{3808876b-c176-4e48-b7ae-04046e6cc752}'
head -c 100000 /dev/zero >folder/hiberfil.sys
ntfs_unmount folder
vread -q --raw --skip free,swap clean.img >copy.img
! cmp -s clean.img copy.img || fail 'nothing was left out'

# whole WORDS  a.img is read whole, and the warning has these words; free space alone, and swap alone
whole() {
  for kinds in free swap free,swap; do
    works vread --raw --skip $kinds a.img
    same a.img stdout
  done
  says 'NTFS is read whole' "$1"
}

# ntfsfix marks what it has mended as dirty, for Windows to check.
cp clean.img a.img
ntfsfix a.img >/dev/null 2>&1 || fail 'ntfsfix'
whole 'dirty'

# is_safe IMAGE  whether ntfs-3g would write to it
is_safe() {
  cp "$1" tried.img
  ntfs_mount tried.img folder norecover || fail "$(cat ntfs-log)"
  _safe=0
  touch folder/x 2>/dev/null || _safe=1
  ntfs_unmount folder
  return $_safe
}
is_safe clean.img

# A log with a client in use, which says that the volume is clean, or does not.
ntfsinfo -i 2 -v clean.img >information 2>/dev/null
cluster=$(awk '/Runlist/ { getline; print $2; exit }' information)
log() {
  cp clean.img a.img
  python3 - a.img $((cluster)) "$1" <<'END'
import struct, sys
page = bytearray(4096)
page[0:4] = b'RSTR'
struct.pack_into('<HH', page, 4, 30, 9)
struct.pack_into('<IIHHH', page, 16, 4096, 4096, 48, 1, 1)
# Sequence number, clients, free, in use, flags; bits, length, place of clients, size of the log; the client.
struct.pack_into('<QHHHH', page, 48, 7, 1, 0xffff, 0, int(sys.argv[3]))
size = 2 << 20
struct.pack_into('<IHHQ', page, 64, 67 - size.bit_length(), 208, 48, size)
struct.pack_into('<QQHH', page, 96, 0, 0, 0xffff, 0xffff)
struct.pack_into('<H', page, 30, 1)
for piece in range(8):
    page[32 + 2 * piece:34 + 2 * piece] = page[512 * piece + 510:512 * piece + 512]
    struct.pack_into('<H', page, 512 * piece + 510, 1)
with open(sys.argv[1], 'r+b') as image:
    image.seek(int(sys.argv[2]) * 4096)
    image.write(page + page)
END
}
log 2
is_safe a.img || fail 'the log is not as ntfs-3g wants it'
vread -q --raw --skip free a.img >copy.img
! cmp -s a.img copy.img || fail 'nothing was left out'
log 0
! is_safe a.img || fail 'ntfs-3g writes to it'
grep -q 'unclean' ntfs-log || fail "$(cat ntfs-log)"
whole 'its log holds changes that have not been carried out'

# Hibernated.
cp clean.img a.img
ntfs_mount a.img folder || fail "$(cat ntfs-log)"
printf hibr | put_at folder/hiberfil.sys 0
ntfs_unmount folder
! is_safe a.img || fail 'ntfs-3g writes to it'
whole 'hibernated'

# Shadow copies: a store of one.
cp clean.img a.img
ntfs_mount a.img folder || fail "$(cat ntfs-log)"
: >'folder/System Volume Information/{01234567-0000-11ef-9999-0123456789ab}{3808876b-c176-4e48-b7ae-04046e6cc752}'
ntfs_unmount folder
whole 'shadow copies'

# A record and its copy that differ, a record that is torn, a bitmap that calls the table free.
table=$(($(od -An -tu8 -j 48 -N 8 clean.img) * 4096))
cp clean.img a.img
flip a.img $((table + 2 * 1024 + 90))
whole 'differs from its copy'
cp clean.img a.img
flip a.img $((table + 6 * 1024 + 510))
whole 'torn'
cp clean.img a.img
ntfsinfo -i 6 -v clean.img >information 2>/dev/null
cluster=$(awk '/Runlist/ { getline; print $2; exit }' information)
printf '\0' | put_at a.img $((cluster * 4096))
whole 'its bitmap calls clusters free'

# A bitmap of which a piece has gone bad calls a file's clusters free; a page file has clusters of another file. Nothing
# else of the volume tells: what is in use is looked up in all records.
ntfs_make files.img 16M
noise 4M >content
ntfscp -q -f files.img content content
head -c 1M content >page
ntfscp -q -f files.img page pagefile.sys
place() { ntfsinfo -F "$1" -v files.img 2>/dev/null | awk '/Runlist/ { getline; print $2, $3; exit }'; }
# shellcheck disable=SC2046
set -- $(place content)
cp files.img a.img
vread -q --raw --skip free a.img >copy.img
ntfscat copy.img content | cmp - content
ntfsinfo -i 6 -v files.img >information 2>/dev/null
bitmap=$(($(awk '/Runlist/ { getline; print $2; exit }' information) * 4096))
head -c 32 /dev/zero | put_at a.img $((bitmap + ($1 + 512) / 8))
ntfscat a.img content | cmp - content
whole 'which is free or another file'
cp files.img a.img
python3 - a.img "$(place pagefile.sys)" "$1" <<'END'
import struct, sys
start, count = (int(number, 16) for number in sys.argv[2].split())
def run(cluster):
    return bytes([0x22]) + struct.pack('<HH', count, cluster) + bytes(1)
with open(sys.argv[1], 'r+b') as image:
    image.seek(4 * 4096)
    table = image.read(256 << 10)
    place = table.index(run(start))
    image.seek(4 * 4096 + place)
    image.write(run(int(sys.argv[3], 16) + 7))
END
ntfscat a.img content | cmp - content
whole 'which is free or another file'

# A boot sector that is damaged: its copy is not used.
cp clean.img a.img
printf '\1' | put_at a.img 14
works vread --raw --skip free a.img
same a.img stdout
says 'NTFS is read whole'
works vread --list a.img
shows 'NTFS' 'not understood'
