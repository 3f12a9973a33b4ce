#!/bin/sh
# What qemu-img writes is described, checked and read; Azure's rules refuse its rounded sizes.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img

small_disk disk.raw
truncate -s 40M disk.raw
for type in fixed dynamic; do
  qemu-img convert -O vpc -o subformat=$type,force_size disk.raw forced.vhd
  works vhd check forced.vhd
  shows 'forced.vhd: no problem'
  vhd convert forced.vhd back.raw --force
  same back.raw disk.raw
  vread forced.vhd | vhd create -o again.vhd --force
  vhd convert again.vhd back.raw --force
  same back.raw disk.raw

  # Without force_size the disk gets a size that its geometry can tell.
  qemu-img convert -O vpc -o subformat=$type disk.raw rounded.vhd
  works vhd check --quiet rounded.vhd
  fails 1 vhd check --azure rounded.vhd
  shows 'Azure takes multiples of 1 MiB'
  vhd convert rounded.vhd back.raw --force
  [ "$(size back.raw)" -gt "$(size disk.raw)" ]
  cmp -n "$(size disk.raw)" back.raw disk.raw
done

# qemu goes on with a dynamic disk of ours.
if command -v qemu-io >/dev/null; then
  vhd convert disk.raw grown.vhd --type dynamic
  qemu-io -f vpc -c 'write -P 7 30M 3M' grown.vhd >/dev/null
  vhd check --quiet grown.vhd
  qemu-img convert -f vpc -O raw grown.vhd expected
  vhd convert grown.vhd back.raw --force
  same back.raw expected
fi
