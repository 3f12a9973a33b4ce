# shellcheck shell=sh
# NTFS volumes of ntfs-3g's own tools, filled by mounting them.

requires mkntfs ntfs-3g ntfsfix ntfsinfo partclone.ntfs setfattr python3 perl
requires_root

# ntfs_make FILE SIZE [OPTION...]  makes an empty volume
ntfs_make() {
  ntfs_image=$1
  rm -f "$ntfs_image"
  truncate -s "$2" "$ntfs_image"
  shift 2
  mkntfs -q -F -f -L Daten "$@" "$ntfs_image" >ntfs-log 2>&1 || fail "mkntfs $*: $(cat ntfs-log)"
}

# ntfs_mount FILE FOLDER [OPTIONS]; ntfs_unmount FOLDER  The driver writes on after umount has ended: so it is waited for.
ntfs_mount() {
  mkdir -p "$2"
  ntfs-3g -o "no_detach,big_writes,compression,${3:-rw}" "$1" "$2" >ntfs-log 2>&1 &
  ntfs_driver=$!
  later "umount '$2' 2>/dev/null; wait $ntfs_driver"
  until mountpoint -q "$2"; do
    kill -0 $ntfs_driver 2>/dev/null || return 1
    sleep 0.02
  done
}
ntfs_unmount() {
  umount "$1"
  wait $ntfs_driver
}

ntfs_make probe.img 4M
ntfs_mount probe.img probe || skip "ntfs-3g cannot mount here: $(cat ntfs-log)"
ntfs_unmount probe

# ntfs_fill FOLDER COUNT  real files, files of any size until they are fragmented, compressed and sparse ones, links,
# and random bytes in what is free.
ntfs_fill() {
  cp -r /usr/share/common-licenses /etc/ssl "$1" 2>/dev/null || :
  head -c 1G /dev/urandom >"$1/deleted" 2>/dev/null || :
  rm "$1/deleted"
  mkdir "$1/packed"
  setfattr -h -v 0x00000800 -n system.ntfs_attrib_be "$1/packed"
  cat /usr/share/common-licenses/* >"$1/packed/text"
  perl -e '
    use strict;
    my ($folder, $count) = @ARGV;
    srand 1;
    open my $random, "<:raw", "/dev/urandom" or die;
    sub noise { read $random, my $bytes, $_[0]; $bytes }
    sub put { my ($name, @parts) = @_; open my $file, ">:raw", "$folder/$name" or return; print $file @parts; close $file }
    mkdir "$folder/aged";
    for my $round (0 .. 2) {
      for (0 .. $count - 1) {
        next if $round and rand 2 < 1;
        put "aged/$_", noise(rand 8 < 1 ? rand 60000 : rand 6000) or unlink "$folder/aged/$_";
      }
      for (0 .. $count - 1) { unlink "$folder/aged/$_" if rand 2 < 1 }
    }
    # It takes what is left here and there; many small ones let the table grow between.
    put "fragmented", noise(2e6);
    mkdir "$folder/small";
    put "small/a file with a name that is not short at all $_", "x" x rand 300 for 0 .. 2 * $count;
    put "pagefile.sys", noise(300_000);
    put "hiberfil.sys", "\0" x 200_000;
    open my $sparse, ">:raw", "$folder/sparse";
    for (1 .. 5) { seek $sparse, $_ * 700_000, 0; print $sparse "piece $_" x 2000 }
    close $sparse;
    open my $holes, ">:raw", "$folder/packed/holes";
    for (1 .. 9) { seek $holes, $_ * 200_000, 0; print $holes "text $_" x 3000 }
    close $holes;
    link "$folder/fragmented", "$folder/another name";
  ' "$1" "$2"
}

# ntfs_sums FOLDER  prints the hash of each file
ntfs_sums() {
  (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# ntfs_agrees IMAGE COPY  Of what the copy left out, partclone calls everything free; what it kept is hardly more than
# what partclone calls used. Prints the numbers.
ntfs_agrees() {
  rm -f domain
  partclone.ntfs -q -D -s "$1" -O domain -L ntfs-log >/dev/null 2>&1 || fail "partclone: $(tail -n 3 ntfs-log)"
  python3 - "$1" "$2" <<'END'
import sys
image, copy = (open(name, 'rb') for name in sys.argv[1:])
free, used = [], 0
for line in open('domain'):
    fields = line.split()
    if len(fields) == 3 and fields[0].startswith('0x'):
        start, size = int(fields[0], 16), int(fields[1], 16)
        if fields[2] == '?':
            free.append((start, start + size))
        else:
            used += size
kept = position = index = 0
while True:
    original, restored = image.read(4096), copy.read(4096)
    if len(original) != len(restored):
        sys.exit('the copy is shorter')
    if not original:
        break
    if original == restored:
        kept += len(original) if original.strip(b'\0') else 0
    else:
        while index < len(free) and free[index][1] < position + len(original):
            index += 1
        if restored.strip(b'\0') or index == len(free) or free[index][0] > position:
            sys.exit(f'the grain at {position} is not free')
    position += len(original)
print(f'{kept} bytes kept, {used} used as partclone counts')
if kept > used * 1.02 + 4096:
    sys.exit('too much is kept')
END
}
