#!/bin/sh
# btrfs with single and double copies, in all kinds of checksums that are known, filled and aged: a copy without free
# space passes btrfs check and a scrub, all files are the same, and what is kept is what the extents take.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-small.sh"

requires mkfs.btrfs btrfs losetup python3
requires_root

# mounted IMAGE OPTIONS COMMAND...: run it with the image mounted at `mounted`.
mounted() {
  mkdir -p mounted
  loop=$(losetup -f --show "$1") || skip 'no loop device'
  later "umount mounted 2>/dev/null; detach $loop"
  mount -t btrfs -o "$2" "$loop" mounted 2>mount.log || skip "cannot mount: $(cat mount.log)"
  shift 2
  "$@"
  umount mounted
  detach "$loop"
}

fill() {
  noise 9M 7 >mounted/noise
  cp -r tree mounted/first
  sync -f mounted
  rm mounted/noise mounted/first/F*.TXT mounted/first/readme.*
  cp -r tree mounted/second
  btrfs -q subvolume create mounted/sub
  cp -r tree/Some* mounted/sub/
  btrfs -q subvolume snapshot mounted/sub mounted/snapshot
  rm -r mounted/sub/Some*
  cp --reflink=always mounted/second/F4.TXT mounted/clone
  truncate -s 1G mounted/sparse
  noise 100000 4 | put_at mounted/sparse 500000000
  fallocate -l 1M mounted/room
  noise 100000 4 | put_at mounted/room 200000
  noise 3M 3 >mounted/gone
  sync -f mounted
  rm mounted/gone
}

look() {
  small_hashes mounted >"$1"
  btrfs scrub start -B -r mounted >scrub.log 2>&1 || fail "scrub: $(cat scrub.log)"
  grep -q 'no errors found' scrub.log || fail "scrub: $(cat scrub.log)"
}

# used IMAGE: bytes of extents, twice those of chunks with two copies, as btrfs itself lists them, and the first MiB.
used() {
  btrfs inspect-internal dump-tree -t extent "$1" >tree.txt
  btrfs inspect-internal dump-tree -t block-group "$1" >>tree.txt 2>/dev/null || :
  awk '/block group used/ { sum += /DUP/ ? 2 * $4 : $4 } END { print sum + 1048576 }' tree.txt
}

# make SIZE OPTION...
make() {
  size=$1
  shift
  rm -f volume.raw
  truncate -s "$size" volume.raw
  mkfs.btrfs -q "$@" volume.raw >mkfs.log 2>&1 || fail "mkfs.btrfs $*: $(cat mkfs.log)"
  mounted volume.raw rw fill
  works vread --skip zero,free --raw volume.raw
  mv stdout copy
  never_says 'read whole'
  btrfs check copy >check.log 2>&1 || fail "mkfs.btrfs $*: $(cat check.log)"
  mounted volume.raw ro look before
  mounted copy ro look after
  same before after
  [ "$(wc -l <before)" -gt 100 ] || fail 'only few files'
  about "$(kept volume.raw)" "$(used volume.raw)" "mkfs.btrfs $*, $size: partclone $(cloned btrfs volume.raw)"
}

small_tree tree 2000000
make 160M -m single
make 160M -M -n 4096 -L 'A LABEL'
works vread --list volume.raw
shows 'btrfs "A LABEL"'
make 240M -m dup -d dup --csum xxhash
if [ "${VPIPE_ALL:-0}" != 0 ]; then
  make 160M -m dup
  make 300M --csum sha256 -n 65536
  make 300M -R ^free-space-tree -O ^no-holes
fi

# unskipped WHY: nothing is left out of the volume.
unskipped() {
  works vread --skip zero,free --raw volume.raw
  same volume.raw stdout
  works vread --skip free --list volume.raw
  cat stderr >>stdout
  shows "$1"
}

# What fsync has put into the log only is not in the extent tree.
promise() {
  noise 900000 9 >mounted/promised
  sync mounted/promised
  cp --sparse=always volume.raw crashed.raw
}
mounted volume.raw rw promise
mv crashed.raw volume.raw
unskipped 'its log has not been replayed'
mounted volume.raw rw look after
rm volume.raw
truncate -s 160M volume.raw
mkfs.btrfs -q --csum blake2 volume.raw >mkfs.log 2>&1
unskipped 'its kind of checksum, 3, is not known: read whole'
mkfs.btrfs -q -f -d single -m single volume.raw >mkfs.log 2>&1
printf '\001' | put_at volume.raw $((65536 + 300))
unskipped 'damaged: read whole'

# An audit that can look at nothing proves nothing: files of btrfs are not read, and a checker that finds the same in the
# original has not told anything of the copy.
mkfs.btrfs -q -f volume.raw >mkfs.log 2>&1
works vread --audit --skip free volume.raw
mkdir checkers
printf '#!/bin/sh\nexit 1\n' >checkers/btrfs
chmod +x checkers/btrfs
fails 1 env PATH="$PWD/checkers:$PATH" vread --audit --skip free volume.raw
shows 'the same fault in the original' 'proof: failed' 'nothing could look at what is left out'
