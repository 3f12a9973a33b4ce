#!/bin/sh
# exFAT in clusters of all sizes, filled through exfat-fuse and aged: a copy without free space passes fsck.exfat, all
# files are the same, and what is kept is what is used.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-small.sh"

requires mkfs.exfat fsck.exfat mount.exfat-fuse losetup python3
requires_root
[ -e /dev/fuse ] || skip 'needs FUSE'

# mounted IMAGE COMMAND...: run it with the image mounted at `mounted`.
mounted() {
  mkdir -p mounted
  loop=$(losetup -f --show "$1") || skip 'no loop device'
  later "umount mounted 2>/dev/null; detach $loop"
  mount.exfat-fuse "$loop" mounted >fuse.log 2>&1 || skip "cannot mount: $(cat fuse.log)"
  shift
  "$@"
  # A FUSE file system is written when its process ends, a moment after this.
  umount mounted
  while pgrep -f "mount.exfat-fuse $loop" >/dev/null; do sleep 0.1; done
  detach "$loop"
}

fill() {
  noise $((bytes / 3)) 7 >mounted/noise
  cp -r tree mounted/first
  rm mounted/noise mounted/first/F*.TXT mounted/first/readme.*
  cp -r tree mounted/second
  # Files that grow by turns do not lie in one piece.
  for _piece in 1 2 3 4 5 6 7 8; do
    noise 70000 $_piece >>mounted/odd
    noise 70000 $_piece >>mounted/even
  done
  rm mounted/even
  seq -f 'a file of which the name is not short, number %g' 600 | (mkdir mounted/many && cd mounted/many && xargs -d '\n' touch)
  truncate -s 300000 mounted/zeros
  noise 3000 3 >mounted/gone
  rm mounted/gone
}

hashes() { small_hashes mounted >"$1"; }

# used IMAGE: bytes up to the clusters, those of the clusters in use, and the rest behind the last one.
used() {
  python3 - "$1" <<'EOF'
import struct, sys
data = open(sys.argv[1], "rb").read()
length, = struct.unpack_from("<Q", data, 72)
fat, _, heap, count, root = struct.unpack_from("<5I", data, 80)
sector, cluster = 1 << data[108], 1 << data[108] + data[109]
def chain(first):
    while first < 0xfffffff7:
        yield data[heap * sector + (first - 2) * cluster:][:cluster]
        first, = struct.unpack_from("<I", data, fat * sector + first * 4)
directory = b"".join(chain(root))
entry = next(directory[at:at + 32] for at in range(0, len(directory), 32) if directory[at] == 0x81)
bitmap = b"".join(chain(struct.unpack_from("<I", entry, 20)[0]))
taken = sum(bitmap[index // 8] >> index % 8 & 1 for index in range(count))
print(len(data) - (count - taken) * cluster)
EOF
}

# make SIZE BYTES OPTION...
make() {
  size=$1 bytes=$2
  shift 2
  rm -rf volume.raw tree
  truncate -s "$size" volume.raw
  mkfs.exfat "$@" volume.raw >mkfs.log 2>&1 || fail "mkfs.exfat $*: $(cat mkfs.log)"
  small_tree tree "$bytes"
  mounted volume.raw fill
  fsck.exfat -n volume.raw >fsck.log 2>&1 || fail "mkfs.exfat $*: before: $(cat fsck.log)"
  works vread --skip zero,free --raw volume.raw
  mv stdout copy
  never_says 'read whole'
  fsck.exfat -n copy >fsck.log 2>&1 || fail "mkfs.exfat $*: $(cat fsck.log)"
  mounted volume.raw hashes before
  mounted copy hashes after
  same before after
  [ "$(wc -l <before)" -gt 600 ] || fail 'only few files'
  about "$(kept volume.raw)" "$(used volume.raw)" "mkfs.exfat $*, $size: partclone $(cloned exfat volume.raw)"
}

make 64M 2000000
make 32M 1000000 -c 512
make 128M 3000000 -c 32K -L 'A LABEL'
[ "${VPIPE_ALL:-0}" = 0 ] || make 300M 3000000 --pack-bitmap
[ "${VPIPE_ALL:-0}" = 0 ] || make 2G 3000000 -c 1M
works vread --list volume.raw
shows 'exFAT'

# Files are found by their names, in any case.
copy_out() { cp -r mounted "$1"; }
works vread --skip zero,free --exclude '/SECOND/some folder/DEEPER/**' --raw volume.raw
mv stdout copy
fsck.exfat -n copy >fsck.log 2>&1 || fail "excluded: $(cat fsck.log)"
mounted volume.raw copy_out whole
mounted copy copy_out rest
left_out whole rest 'second/Some Folder/deeper'

# unskipped WHY: nothing is left out of the volume.
unskipped() {
  works vread --skip zero,free --raw volume.raw
  same volume.raw stdout
  says "$1"
}

cp volume.raw clean.raw
printf '\002' | put_at volume.raw 106
unskipped 'exFAT is read whole: it was not unmounted'
cp clean.raw volume.raw
printf '\001' | put_at volume.raw 106
unskipped 'exFAT is read whole: its first FAT is not in use'
cp clean.raw volume.raw
printf '\001' | put_at volume.raw 120
unskipped 'exFAT is read whole: the checksum of its boot sectors does not hold'
