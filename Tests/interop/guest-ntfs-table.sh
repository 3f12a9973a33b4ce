#!/bin/sh
# A master file table in so many pieces that other records tell where they are, and a bitmap that ntfsresize made longer
# more than once: what is free is known all the same, and the volume's size may be any.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-ntfs-functions"

requires ntfsresize

ntfs_make a.img 12M -c 1024
ntfs_mount a.img folder || fail "$(cat ntfs-log)"
# Small files until the volume is full; every second one goes; then tiny ones, whose records take the gaps.
perl -e '
  my $folder = shift;
  sub fill {
    my ($name, $size) = @_;
    my $count = 0;
    mkdir "$folder/$name";
    while (open my $file, ">:raw", "$folder/$name/$count") {
      print $file "y" x $size;
      close $file or last;
      $count++;
    }
    return $count;
  }
  my $count = fill("comb", 1024);
  unlink map { "$folder/comb/" . 2 * $_ } 0 .. $count / 2;
  $count = fill("tiny", 1);
  unlink map { "$folder/tiny/" . 3 * $_ } 0 .. $count / 3;
' folder
ntfs_sums folder >sums
ntfs_unmount folder
ntfsinfo -i 0 -v a.img >information 2>/dev/null
[ "$(grep -c 'Dumping attribute .DATA' information)" -gt 1 ] || fail 'the table is in one record'

same_files() {
  vread --raw --skip zero,free "$1" >copy.img
  echo "$1: $(ntfs_agrees "$1" copy.img)"
  ntfsfix -n copy.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
  ntfs_mount copy.img folder ro || fail "$(cat ntfs-log)"
  ntfs_sums folder | cmp - sums
  ntfs_unmount folder
}
same_files a.img

for size in 20M 50M 150M; do
  truncate -s $size a.img
  ntfsresize -P -f -f a.img </dev/null >ntfs-log 2>&1 || fail "$(tail -n 3 ntfs-log)"
  # It asks for a check by Windows, which this is in place of.
  ntfsfix -d a.img >ntfs-log 2>&1 || fail "$(cat ntfs-log)"
done
same_files a.img
