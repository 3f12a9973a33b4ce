#!/bin/sh
# 500 changes of single fields of VHDs and VHDXs: check finds each that the format does not allow, and repair undoes
# those that a copy or a checksum proves, byte for byte.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 qemu-img

# Over 4 GiB, so that the block table has a slot for sector bitmaps; the last block is there.
truncate -s 5G large.raw
for place in 0 1048576 3145728 104857600 4293918720 4294967301 5367660544; do
  noise 300000 $place | put_at large.raw $place
done
qemu-img convert -f raw -O vhdx -o block_size=1M large.raw dynamic.vhdx
truncate -s 9M small.raw
noise 3M | put_at small.raw $((1 << 20))
noise 700 | put_at small.raw $((9437184 - 700))
vhd convert small.raw fixed.vhd
vhd convert small.raw dynamic.vhd --type dynamic
cp --sparse=always dynamic.vhdx child.vhdx
cp dynamic.vhd child.vhd
PYTHONPATH=$VPIPE_TOP/Tests/interop python3 -B -c '
from mutate import make_vhd_child, make_vhdx_child
make_vhd_child("child.vhd")
make_vhdx_child("child.vhdx")'

python3 -B "$VPIPE_TOP/Tests/interop/vhd-mutations.py" "$VPIPE_SEED" 500 \
  dynamic.vhdx child.vhdx dynamic.vhd child.vhd fixed.vhd
