#!/bin/sh
# An image is of the format that its name promises; a name that promises another one than it would get is refused
# before anything is read.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
for ending in qcow vdi qed VDI; do
  fails 64 vhd convert disk.raw "x.$ending"
  says "vhd: x.$ending: " 'cannot be made' 'hint: ' 'vhd, vhdx, vmdk, qcow2, raw'
  fails 64 vhd create --format raw -o "x.$ending" disk.raw
  absent "x.$ending"
done
for ending in vhd vhdx vmdk qcow2; do
  works vhd convert disk.raw "x.$ending"
  works vread --list "x.$ending"
  shows ", $ending"
  works vhd create -o "y.$ending" disk.raw
  works vread --list "y.$ending"
  shows ", $ending"
  other=vhd
  if [ $ending = vhd ]; then other=vhdx; fi
  fails 64 vhd convert --format $other disk.raw "z.$ending"
  says "z.$ending: the name of a " 'would be in it'
  absent "z.$ending"
  works vhd convert --format $ending disk.raw z.disk --force
  works vread --list z.disk
  shows ", $ending"
  # The bytes are the same, whatever is around them; also where stdout's file is written in place.
  vhd convert "x.$ending" - --format raw | cmp - disk.raw
  vread disk.raw | vhd create --format $ending >"x.$ending"
  vread --raw "x.$ending" | cmp - disk.raw
done
fails 64 vhd convert disk.raw x.VMDK --format qcow2
for ending in raw img bin dd iso RAW disk-flat.vmdk; do
  fails 64 vhd convert --azure disk.raw "x.$ending"
  says "x.$ending: the name of a raw disk, but --azure makes a VHD"
  absent "x.$ending"
  works vhd convert disk.raw "x.$ending"
  same disk.raw "x.$ending"
done
works vhd convert disk.raw x.disk
works vhd info x.disk
shows 'type: fixed'
works vhd convert --type fixed disk.raw fixed.img --force
works vhd info fixed.img
shows 'type: fixed'
works vhd convert --json disk.raw x.vhdx --type dynamic --force
shows '"format":"vhdx"' '"size":12583424'
