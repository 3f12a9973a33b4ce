#!/bin/sh
# Structures of ext2, ext3 and ext4 that were changed, with checksums that fit and without, and cut disks: nothing crashes or
# hangs, and nothing is skipped that was in use.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-ext-functions"

# small NAME OPTION...: a small file system with few files of each kind, and one that is as it is under a busy mount.
small() {
  name=$1
  shift
  truncate -s 8M "$name.img"
  mke2fs -q -F -N 256 "$@" "$name.img"
  mkdir -p mounted
  mount -o loop "$name.img" mounted
  later 'umount mounted 2>/dev/null'
  mkdir mounted/folder mounted/many
  noise 300K 1 >mounted/big
  noise 60K 2 >mounted/gone
  noise 3000 3 | put_at mounted/folder/sparse 4000000
  echo words >mounted/folder/small
  (cd mounted/many && seq -f 'a name that is long enough, and has the number %g' 100 | xargs -d '\n' -n 1 ln ../folder/small)
  ln -s "$(printf '/a/long/path%.0s' 1 2 3 4 5 6 7 8 9 10)" mounted/link
  setfattr -n user.comment -v "$(noise 300 | base64 -w 0)" mounted/big
  sync -f mounted
  rm mounted/gone
  umount mounted
  mount -o loop "$name.img" mounted
  noise 100K 4 >mounted/folder/more
  rm mounted/big
  sync mounted/folder/more
  cp --sparse=always "$name.img" "$name-dirty.img"
  umount mounted
}
small four -t ext4 -b 1024 -g 2048 -J size=1
small two -t ext2 -b 1024
small three -t ext3 -b 1024 -g 1024 -J size=1

works python3 "$VPIPE_TOP/Tests/interop/ext_mutations.py" four.img four-dirty.img two.img three.img three-dirty.img
cat stdout
