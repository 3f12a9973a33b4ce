#!/bin/sh
# --list says what is on a disk, in the words of the tools that made it; whichever of them are installed are asked.
. "$(dirname "$0")/../cli/functions.sh"

asked=0
# expect WORDS COMMAND...: COMMAND makes something on disk.raw, --list shows the words.
expect() {
  words=$1
  shift
  command -v "$1" >/dev/null || return 0
  rm -f disk.raw
  truncate -s 400M disk.raw
  "$@" disk.raw >log 2>&1 || fail "$* failed: $(cat log)"
  vread --list disk.raw >list
  grep -qF ", raw, $words" list || fail "$1: no '$words' in: $(cat list)"
  asked=$((asked + 1))
}

id=11111111-2222-3333-4444-555555555555
expect "ext2 \"data\" $id" mke2fs -q -F -t ext2 -L data -U $id
expect "ext3 \"data\" $id" mke2fs -q -F -t ext3 -L data -U $id
expect "ext4 \"data\" $id" mke2fs -q -F -t ext4 -L data -U $id
expect "XFS \"data\" $id" mkfs.xfs -q -f -L data -m uuid=$id
expect "btrfs \"data\" $id" mkfs.btrfs -q -f -L data -U $id
expect 'FAT16 "DATA"' mkfs.vfat -F 16 -n DATA
expect 'FAT32 "DATA"' mkfs.vfat -F 32 -n DATA
expect 'FAT32' mkfs.vfat -F 32
expect 'exFAT' mkfs.exfat
expect 'NTFS' mkfs.ntfs -q -F -f
echo secret >key
expect "LUKS2 \"data\" $id" cryptsetup -q luksFormat --type luks2 --label data --uuid $id --key-file key \
  --pbkdf pbkdf2 --pbkdf-force-iterations 1000
expect 'F2FS' mkfs.f2fs -q
[ $asked -gt 0 ] || skip 'no mkfs at all'
