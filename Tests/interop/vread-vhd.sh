#!/bin/sh
# The disk inside a VHD of qemu-img's is read, not the file around it; what it does not allocate costs nothing.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img
truncate -s 64M disk.raw
noise 3M | put_at disk.raw 5000192
for kind in fixed dynamic; do
  qemu-img convert -f raw -O vpc -o subformat=$kind,force_size=on disk.raw $kind.vhd
  vread --raw $kind.vhd | cmp - disk.raw
  works vread --list $kind.vhd
  shows "$kind: 64.0 MiB (67108864 bytes), vhd"
  [ "$(vread $kind.vhd | wc -c)" -lt 3300000 ] || fail "zeros of the $kind VHD were carried"
done
