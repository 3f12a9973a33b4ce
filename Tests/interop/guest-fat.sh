#!/bin/sh
# FAT12, FAT16 and FAT32 in all the forms of mkfs.fat, filled and aged: a copy without free space passes fsck.fat, all
# files are the same, and what is kept is what is used.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-small.sh"

requires mkfs.fat fsck.fat mcopy mdel mmd python3
export MTOOLS_SKIP_CHECK=1
# mtools goes by it in what it makes of names.
export LC_ALL=C.UTF-8

# used IMAGE: bytes up to the clusters, and those of the clusters in use, as fsck.fat counts them.
used() {
  fsck.fat -nv "$1" | awk '
    /bytes per cluster/ { cluster = $1 }
    /Data area starts at byte/ { start = $6 }
    / files, / { split($4, parts, "/"); print start + parts[1] * cluster + rest }'
}

# proves IMAGE: what is left out is free, and all that is.
proves() {
  works vread --skip zero,free --raw "$1"
  mv stdout copy
  never_says 'read whole'
  fsck.fat -n copy >fsck.log || fail "$1: $(cat fsck.log)"
  rm -rf before after
  mkdir before after
  mcopy -s -n -i "$1" ::/ before >/dev/null
  mcopy -s -n -i copy ::/ after >/dev/null
  small_hashes before >hashes
  [ "$(wc -l <hashes)" -gt 20 ] || fail "$1: only few files"
  small_hashes after | cmp - hashes
  # What is behind the last cluster is kept, too.
  tail=$(fsck.fat -nv "$1" | awk -v size="$(size "$1")" '
    /Data area starts at byte/ { start = $6 } /data clusters/ { gsub(/[()]/, ""); print size - start - $4 }')
  about "$(kept "$1")" $(($(used "$1") + tail)) "$2: partclone $(cloned fat "$1")"
}

# make SIZE BYTES OPTION...: an aged volume.
make() {
  _size=$1 _bytes=$2
  shift 2
  rm -f volume.raw
  truncate -s "$_size" volume.raw
  mkfs.fat "$@" volume.raw >mkfs.log 2>&1 || fail "mkfs.fat $*: $(cat mkfs.log)"
  [ -d "tree-$_bytes" ] || small_tree "tree-$_bytes" "$_bytes"
  noise $((_bytes / 3)) 7 >junk
  mcopy -i volume.raw junk ::/noise
  mcopy -s -i volume.raw "tree-$_bytes" ::/first
  mdel -i volume.raw ::/noise '::/first/F*.TXT' '::/first/readme.*'
  mcopy -s -i volume.raw "tree-$_bytes" ::/second
  noise 3000 3 >junk
  mcopy -i volume.raw junk ::/noise
  mdel -i volume.raw ::/noise
  proves volume.raw "mkfs.fat $*, $_size"
}

make 1440K 150000 -F 12
make 4M 600000 -F 12 -s 2 -n LABEL
make 20M 2000000 -F 12 -s 16 -f 1
make 16M 2000000 -F 16 -s 1
make 32M 3000000 -F 16 -r 1024 -R 8
make 64M 3000000 -F 16 -S 1024 -f 2 -a
make 40M 2000000 -F 32 -s 1 -n 'A LABEL'
make 90M 3000000 -F 32 -s 2 -R 64 --mbr=y
make 300M 3000000 -F 32 -S 4096 -f 1 -a
[ "${VPIPE_ALL:-0}" = 0 ] || make 4G 30000000 -F 32

# Files are found by their long names, in any case; clusters of 4 KiB can be left out one by one.
make 90M 600000 -F 16 -s 8
works vread --skip zero,free --exclude '/SECOND/some folder/DEEPER/**' --raw volume.raw
mv stdout copy
fsck.fat -n copy >fsck.log || fail "excluded: $(cat fsck.log)"
rm -rf before after
mkdir before after
mcopy -s -n -i volume.raw ::/ before
mcopy -s -n -i copy ::/ after
left_out before after 'second/Some Folder/deeper'

# Its names are shown.
make 40M 600000 -F 32 -s 1 -n 'A LABEL' -i 1234ABCD
works vread --list volume.raw
shows 'FAT32 "A LABEL" 1234-ABCD'

# unskipped WHY: nothing is left out of the volume.
unskipped() {
  works vread --skip zero,free --raw volume.raw
  same volume.raw stdout
  says "$1"
}

cp volume.raw clean.raw
printf '\001' | put_at volume.raw 65
unskipped 'FAT32 is read whole: it was not unmounted'
cp clean.raw volume.raw
printf '\377\377\377\007' | put_at volume.raw $((32 * 512 + 4))
unskipped 'FAT32 is read whole: it was not unmounted'
cp clean.raw volume.raw
printf '\377\377\377\013' | put_at volume.raw $((32 * 512 + 4))
unskipped 'FAT32 is read whole: errors of its medium are noted'
cp clean.raw volume.raw
printf '\005' | put_at volume.raw $((32 * 512 + 400 * 4))
unskipped 'FAT32 is read whole: its FATs are not the same'

# A bad cluster is not free.
cp clean.raw volume.raw
before=$(kept volume.raw)
for fat in 32 $((32 + $(fsck.fat -nv clean.raw | sed -n 's/.*bytes per FAT (= \([0-9]*\) sectors.*/\1/p'))); do
  printf '\367\377\377\017' | put_at volume.raw $((fat * 512 + 70000 * 4))
done
[ "$(kept volume.raw)" -gt "$before" ] || fail 'a bad cluster is called free'

# A file whose clusters the FAT calls free: the volume is not believed.
cp clean.raw volume.raw
cluster=$(minfo -i volume.raw :: >/dev/null && mshowfat -i volume.raw '::/second/F4.TXT' | sed 's/.*<\([0-9]*\).*/\1/')
for fat in 32 $((32 + $(fsck.fat -nv clean.raw | sed -n 's/.*bytes per FAT (= \([0-9]*\) sectors.*/\1/p'))); do
  printf '\000\000\000\000' | put_at volume.raw $((fat * 512 + cluster * 4))
done
unskipped 'FAT32 is read whole: a file has cluster'

# What a partition table was written over.
cp clean.raw volume.raw
printf '\200\000\000\000\203\000\000\000\000\010\000\000\000\020\000\000' | put_at volume.raw 446
works vread --list volume.raw
shows 'there is a partition table in its first sector: read whole'
works vread --skip zero,free --raw volume.raw
same volume.raw stdout
