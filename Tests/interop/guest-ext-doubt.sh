#!/bin/sh
# Where the free space of ext2, ext3 or ext4 cannot be told, everything is read, and why is said.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-ext-functions"

# make IMAGE OPTION...: a small file system in which something was deleted.
make() {
  image=$1
  shift
  truncate -s 16M "$image"
  mke2fs -q -F "$@" "$image"
  mkdir -p mounted
  mount -o loop "$image" mounted
  later 'umount mounted 2>/dev/null'
  noise 2M 1 >mounted/gone
  noise 500K 2 >mounted/kept
  sync -f mounted
  rm mounted/gone
  umount mounted
}

# busy IMAGE COPY: the image as it is while it is mounted and written.
busy() {
  mount -o loop "$1" mounted
  noise 300K 3 >mounted/more
  sync -f mounted
  cp --sparse=always "$1" "$2"
  umount mounted
}

# whole IMAGE WORDS: all of it is read, for that reason.
whole() {
  works vread --skip zero,free --raw "$1"
  same "$1" stdout
  says 'read whole' "$2"
}

# skipped IMAGE: of this one most is left out.
skipped() {
  free=$(($(size "$1") - $(ext_kept "$1")))
  never_says 'read whole'
  [ "$free" -gt 8000000 ] || fail "$1: $free bytes are skipped"
}

make four -t ext4 -b 1024
skipped four
busy four busy-four
skipped busy-four

make two -t ext2 -b 1024
skipped two
busy two busy-two
whole busy-two 'not unmounted cleanly'

make fast -t ext4 -b 1024 -O fast_commit
skipped fast
busy fast busy-fast
whole busy-fast 'fast commits'

make guarded -t ext4 -b 1024 -O mmp
skipped guarded
block=$(dumpe2fs -h guarded 2>/dev/null | sed -n 's/^MMP block number: *//p')
cp guarded checked
printf 'PMM\342' | put_at checked $((block * 1024 + 4))
whole checked 'being checked'

cp two faulty
printf '\003' | put_at faulty $((1024 + 58))
whole faulty 'errors were found'

cp two strange
printf '\020' | put_at strange $((1024 + 97))
works vread --skip zero,free --raw strange
same strange stdout
works vread --list strange
shows 'incompatible feature 0x1000 is not known'

# A changed byte in each kind of structure with a checksum.
for place in $((1024 + 0x88)) 2060 $((1024 * $(dumpe2fs four 2>/dev/null | sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | head -n 1))); do
  cp four damaged
  flip damaged "$place" 1
  works vread --skip zero,free --raw damaged
  same damaged stdout
  says checksum
done

head -c 15M two >short
works vread --skip zero,free --raw short
same short stdout
says 'more than there is'

# A journal on another device.
truncate -s 4M journal
mke2fs -q -F -b 1024 -O journal_dev journal
device=$(losetup -f --show journal)
later "detach $device"
make away -t ext4 -b 1024 -J "device=$device"
skipped away
busy away busy-away
whole busy-away 'on another disk'
works vread --list journal
shows 'ext journal' 'a journal only: read whole'
