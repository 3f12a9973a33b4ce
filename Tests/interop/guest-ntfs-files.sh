#!/bin/sh
# Files of NTFS that are left out, in every form that content has: they come back with their sizes and zeros, what is in
# its record or has two names is left in, and all others have their hashes.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-ntfs-functions"

# check SECTOR CLUSTER
check() {
  ntfs_make a.img 24M -s "$1" -c "$2"
  ntfs_mount a.img folder || fail "$(cat ntfs-log)"
  ntfs_fill folder 100
  mkdir -p folder/Temp/deep folder/kept
  head -c 300000 /dev/urandom >folder/Temp/deep/large
  head -c 5000 /dev/urandom >'folder/Temp/Ärger €😀.TMP'
  echo resident >folder/Temp/resident
  head -c 5000 /dev/urandom >folder/kept/Temp
  ntfs_sums folder >sums
  ntfs_unmount folder

  works vread --raw --skip zero,free,swap --exclude '\TEMP\**' --exclude '/Packed/*' --exclude '**/ÄRGER*' \
    --exclude /aged --exclude /fragmented --exclude sparse a.img
  cp stdout copy.img
  says 'fragmented is not left out: it has other names too'
  ntfsfix -n copy.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
  ntfs_mount copy.img folder ro || fail "$(cat ntfs-log)"
  ntfs_sums folder >copied
  for file in Temp/deep/large 'Temp/Ärger €😀.TMP' packed/text packed/holes sparse pagefile.sys; do
    [ "$(size "folder/$file")" -gt 0 ] || fail "$file is empty"
    head -c "$(size "folder/$file")" /dev/zero | cmp - "folder/$file"
  done
  is "$(cat folder/Temp/resident)" resident
  ntfs_unmount folder
  # What differs are those files, and those of /aged that are not in their records.
  left='Temp/deep/large|Temp/Ärger|packed/|sparse$|pagefile|aged/'
  grep -vE "  \./($left)" sums >expected
  grep -vE "  \./($left)" copied | cmp - expected
  changed=$(diff sums copied | grep -c '^> .*/aged/') || :
  [ "$changed" -gt 10 ] || fail "$changed files of /aged were left out"
}
check 512 4096
check 4096 4096
