#!/bin/sh
# What is left out one day may be zeros the next, and the other way round: a point says of each hole what it was on its own
# day, whatever the point before it says of the same bytes.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs
requires_mount ext4

# At most 4 MiB of the disk go by one name in a point: files of 1 MiB that take turns are in it together.
truncate -s 64M disk.raw
mke2fs -q -F -t ext4 -b 4096 disk.raw
mkdir mounted
later 'umount mounted 2>/dev/null'

# change COMMAND...: runs it with the file system mounted.
change() {
  mount -o loop disk.raw mounted
  "$@"
  umount mounted
}

# fill FOLDER: six files of zeros, and others between them.
fill() {
  mkdir -p "mounted/$1" "mounted/kept-$1"
  for number in 1 2 3 4 5 6; do
    noise 1M "$1-$number" >"mounted/kept-$1/$number"
    sync -f mounted
    dd if=/dev/zero of="mounted/$1/$number" bs=1M count=1 status=none
    sync -f mounted
  done
}

# overwrite FOLDER [zeros]: the same places hold something else.
overwrite() {
  for number in 1 2 3 4 5 6; do
    if [ -n "${2:-}" ]; then head -c 1M /dev/zero; else noise 1M "later $number"; fi |
      dd of="mounted/$1/$number" bs=1M conv=notrunc status=none
  done
}

# routes OPTION...: backs the disk up in all ways that know of a day before.
routes() {
  vstore put -q -r R --name direct "$@" disk.raw >/dev/null
  vread "$@" disk.raw | vchunk -r R | vdedup -r R | vstore put -q -r R --name pipe >/dev/null
  if [ -e far.base ]; then vread --base far.base --name disk "$@" disk.raw; else vread "$@" disk.raw; fi |
    vstore put -q -r R --name far >/dev/null
  vstore baseline -r R far -o far.base --force
  for name in direct pipe far; do
    works vstore audit -r R $name disk.raw
    shows 'bytes: passed'
  done
}

vstore init -r R >/dev/null
change fill cache

echo '* zeros that are excluded a day later'
routes
change overwrite cache
routes --exclude /cache
for name in direct pipe far; do
  fails 3 vrestore files -r R $name /cache/2 -o out-$name
  says '/cache/2: its content was left out of the backup (excluded)'
  is "$(vstore show --holes -r R $name | grep -c ' excluded .*/cache/')" 6
done

echo '* excluded files that are zeros, and not excluded, a day later'
change overwrite cache zeros
routes
for name in direct pipe far; do
  works vstore show --holes -r R $name
  never_says excluded
  works vrestore files -r R $name /cache -o again-$name
  head -c 1M /dev/zero | cmp - again-$name/cache/2
done

echo '* free space that is a file of zeros a day later'
change rm -r mounted/cache
routes --skip zero,free
change fill cache
routes --skip zero,free
for name in direct pipe far; do
  works vrestore files -r R $name /cache -o free-$name
  head -c 1M /dev/zero | cmp - free-$name/cache/2
done

echo '* what does not change adds nothing'
before=$(du -sb R/packs | cut -f 1)
routes --skip zero,free
is "$(du -sb R/packs | cut -f 1)" "$before"
