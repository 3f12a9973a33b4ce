#!/bin/sh
# A qcow2 of ours, plain and compressed, into files and pipes, passes qemu-img check, and qemu finds the disk in it.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io strace
strace -o /dev/null true 2>/dev/null || skip 'cannot trace: strace is not let'

# judged DISK IMAGE: others find the disk in the image, and the image sound; it can be written to.
judged() {
  qemu-img check "$2" >checked
  grep -q '^No errors' checked
  qemu-img compare -q -f qcow2 -F raw "$2" "$1"
  vread --raw "$2" | cmp -n "$(size "$1")" - "$1"
}

# tried DISK [OPTION...]: in a file, in a pipe and in the file behind stdout.
tried() {
  disk=$1
  shift
  echo "* $disk $*"
  works vhd convert "$disk" image.qcow2 --force "$@"
  judged "$disk" image.qcow2
  vread "$disk" | vhd create --format qcow2 --spool . "$@" | cat >pipe.qcow2
  judged "$disk" pipe.qcow2
  vhd convert "$disk" - --format qcow2 "$@" >place.qcow2
  judged "$disk" place.qcow2
}

cp --sparse=always "$(make_disk 64M 8M)" disk.raw
chmod u+w disk.raw
truncate -s 82838016 disk.raw
noise 1536 8 | put_at disk.raw 82836480
for way in '' '--compress zstd' '--compress deflate'; do
  # shellcheck disable=SC2086
  tried disk.raw $way
  # qemu goes on with it.
  qemu-io -f qcow2 -c 'write -P 7 70M 1M' -c 'write -z 0 64K' image.qcow2 >/dev/null
  qemu-img check -q image.qcow2
done
is "$(qemu-img info pipe.qcow2 | grep -c 'compression type: zlib')" 1

# Memory that the kernel does not take for a direct write would end direct writes for the whole image.
strace -f -e trace=pwrite64 -o trace vhd convert disk.raw traced.qcow2
[ "$(grep -c 'pwrite64(' trace)" -gt 1 ]
if grep EINVAL trace; then fail 'a direct write of unfit memory was tried'; fi
rm traced.qcow2

# What does not compress, what is all zero, and a size that is no multiple of a sector.
noise 3000001 >noise.raw
truncate -s 40M zero.raw
printf x >one.raw
for name in noise zero one; do
  for way in '' '--compress zstd' '--compress deflate'; do
    # shellcheck disable=SC2086
    works vhd convert $name.raw image.qcow2 --force $way
    judged $name.raw image.qcow2
  done
done

# More than 2 GiB in the file, where a second cluster of counts begins; written often enough to share tables.
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  noise 64M >piece
  for _ in $(seq 36); do cat piece; done >large.raw
  tried large.raw
  tried large.raw --compress zstd
fi
