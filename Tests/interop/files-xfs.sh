#!/bin/sh
# Files come back out of XFS as its own driver shows them: content, modes, times, owners, links, attributes, access lists.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-xfs-functions"

requires rsync

vstore init -r R >/dev/null
# Where there is room for all attributes.
xfs_format room 160M
mkdir target
mount -t xfs -o loop room target
later 'umount target 2>/dev/null || umount -l target 2>/dev/null'

# restored NAME: target/copy holds the files of the image NAME, out of a point.
restored() {
  vstore put -q -r R --name "$1" "$1" >/dev/null
  rm -rf target/copy
  works vrestore files -q -r R "$1" / -o target/copy
}

# alike SIZE OPTION...: what is restored of a file system that mkfs.xfs makes so is what it holds.
alike() {
  XFS_MEBIBYTES=4 xfs_make image "$@"
  restored image
  xfs_mount image ro
  rsync -n -c -a -H -A -X --delete -i --exclude=/odd/fifo --exclude=/odd/device mounted/ target/copy/ >differences
  umount mounted
  sed -i '/^\.d\.\.t\.* \.\/$/d' differences
  [ ! -s differences ] || fail "$*: $(head -n 5 differences)"
}

alike 96M
alike 160M -b size=1024 -m rmapbt=1 -i nrext64=1 -n size=16384

# Version 4 holds what mkfs.xfs put into it: regular files under names without blanks.
xfs_make_old old 96M -m crc=0 -b size=512 -n ftype=0
restored old
[ "$(find target/copy -type f | wc -l)" -gt 500 ] || fail 'hardly a file is in version 4'
(cd target/copy && find . -type f -print) | while read -r name; do same "files/$name" "target/copy/$name"; done
