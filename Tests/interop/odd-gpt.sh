#!/bin/sh
# A disk with a GPT whose size is no multiple of a sector grows by some bytes, and the table's copy moves to the new end: what
# lies in front of it, in the same block or grain, stays, in every format that is written.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img tar

cp --sparse=always "$(make_disk 64M 4M)" disk.raw
chmod u+w disk.raw
# Data up to the table's copy, which takes the last 33 sectors.
noise 200K 5 | put_at disk.raw $((67108864 - 33 * 512 - 204800))
for change in -100 +100; do
  echo "* $change bytes"
  cp --sparse=always disk.raw odd.raw
  truncate -s "$change" odd.raw
  # What is in front of both copies.
  kept=$((67108864 - 33 * 512 - 1024))
  works vhd convert -q odd.raw fixed.vhd --force
  qemu-img convert -f vpc -O raw fixed.vhd expected.raw
  head -c $kept odd.raw | tail -c +1024001 >one
  head -c $kept expected.raw | tail -c +1024001 | cmp - one || fail "fixed VHD"
  for options in 'vmdk' 'qcow2' 'qcow2 --compress zstd' 'qcow2 --compress deflate' 'vhdx' 'vhdx --type dynamic'; do
    format=${options%% *}
    # shellcheck disable=SC2086
    works vhd convert -q --force --format $options odd.raw "odd.$format"
    qemu-img compare -q -f "$format" -F raw "odd.$format" expected.raw || fail "$options: other bytes"
    case $format in qcow2 | vhdx) qemu-img check -q -f "$format" "odd.$format" ;; esac
  done
  works vhd convert -q --force --type dynamic odd.raw odd.vhd
  qemu-img compare -q -f vpc -F raw odd.vhd expected.raw
  rm -rf R odd.ova
  vstore init -r R >/dev/null
  vstore put -q -r R --name odd odd.raw >/dev/null
  works vrestore export -q -r R odd -o odd.ova
  vread --raw odd.ova | cmp - expected.raw
done

echo '* a disk that goes on behind the end that its GPT knows'
# long NOISE ZEROS: so many bytes follow it.
long() {
  cp --sparse=always disk.raw long.raw
  [ "$1" = 0 ] || noise "$1" 9 | put_at long.raw 67108864
  truncate -s "+$2" long.raw
}
for shape in '100 0' '17K 100' '200K 100' '2M 1100'; do
  # shellcheck disable=SC2086
  long $shape
  for options in 'vhd' 'vhd --type dynamic' 'qcow2' 'vmdk'; do
    # shellcheck disable=SC2086
    fails 13 vhd convert -q --format $options long.raw long.image
    says 'holds data where the backup of its GPT would come'
    absent long.image
  done
  # Grown to whole MiB, its end is in zeros; only the table at the start has changed.
  works vhd convert -q --azure long.raw long.vhd --force
  cmp -i 1024 -n $((67108864 + 2097152 < $(size long.raw) ? 69205000 : $(size long.raw) - 1024)) long.raw long.vhd
done
# Zeros may go, and the old backup.
for shape in '0 100' '0 3M' '0 3000100' '3M 102500'; do
  # shellcheck disable=SC2086
  long $shape
  works vhd convert -q long.raw long.vhd --force
done
