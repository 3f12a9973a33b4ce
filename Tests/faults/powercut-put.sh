#!/bin/sh
# Power cuts at any moment while a repository is made and three points are put into it: every point whose put had
# ended with 0 is there and restores, every point that is listed restores, check is content, the next put works.
# And, so that we know that this test can fail: with forgotten calls of fsync it does.
. "$(dirname "$0")/functions.sh"

requires python3 qemu-storage-daemon vstore vrestore
requires_root
build_killat
base=$PWD

for number in 1 2 3; do
  fresh_disk "disk.$number" 2M "$number"
done
cat >run <<EOS
#!/bin/sh
set -eu
vstore init -r R
acknowledged init
for number in 1 2 3; do
  point=\$(vstore put -r R --name a "$base/disk.\$number")
  acknowledged "\$number:\$point"
done
EOS
chmod +x run
power_cut_check check

powercut() {
  "$VPIPE_FAULTS/powercut" --seed "$VPIPE_SEED" --killat "$killat" "$@" ./run ./check
}

file_systems=$(often ext4 "$(cd / && for fs in ext4 xfs btrfs; do ! command -v "mkfs.$fs" >/dev/null || echo "$fs"; done)")
for fs in ${VPIPE_FILE_SYSTEMS:-$file_systems}; do
  # shellcheck disable=SC2046
  powercut --fs "$fs" $(often '--states 120 --subsets 1' '--all --subsets 4')
done

# A run without any fsync, and without those of files. (Some file systems write a rename together with the next file that is
# synced. btrfs does not: it alone notices that folders are not synced.)
for what in all file dir; do
  on=ext4
  if [ "$what" = dir ]; then
    on=btrfs
    command -v mkfs.btrfs >/dev/null || continue
    grep -qw btrfs /proc/filesystems || continue
  fi
  powercut --fs "$on" --states 60 --subsets 2 --drop-fsync "$what" >dropped || {
    cat dropped >&2
    fail "fsync of $what dropped: not noticed"
  }
done

# Each one alone. One fsync carries much else to the disk, so that not every one of them can be missed; but the contents
# of a pack and of a point have no other one.
powercut --list-fsync >fsyncs
unnoticed=
noticed=0
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  grep 'fsync' fsyncs | cut -d ' ' -f 1 >numbers
else
  awk '$3 == "fsync" { print $1 }' fsyncs >numbers
fi
while read -r n; do
  if powercut --states 20 --drop-fsync "$n" >dropped; then
    noticed=$((noticed + 1))
  else
    unnoticed="$unnoticed
$(grep "^$n " fsyncs)"
  fi
done <numbers
echo "each fsync dropped in turn: $noticed noticed; not noticed:$unnoticed"
[ "$noticed" -ge 6 ] || fail 'too many dropped calls of fsync were not noticed'
