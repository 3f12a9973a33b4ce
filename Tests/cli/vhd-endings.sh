#!/bin/sh
# A name that promises another format than the one that it would get is refused before anything is read.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
for ending in qcow2 qcow vhdx vmdk vdi qed ova VMDK; do
  fails 64 vhd convert disk.raw "x.$ending"
  says "vhd: x.$ending: " 'cannot be made' 'hint: ' '.vhd' '.raw or .img'
  fails 64 vhd convert --type fixed disk.raw "x.$ending"
  fails 64 vhd create -o "x.$ending" disk.raw
  absent "x.$ending"
done
for ending in raw img RAW; do
  fails 64 vhd convert --azure disk.raw "x.$ending"
  says "x.$ending: the name of a raw disk, but --azure makes a VHD"
  absent "x.$ending"
  works vhd convert disk.raw "x.$ending"
  same disk.raw "x.$ending"
done
works vhd convert disk.raw x.vhd
works vhd convert disk.raw x.disk
works vhd convert --type fixed disk.raw fixed.img --force
works vhd info fixed.img
shows 'type: fixed'
