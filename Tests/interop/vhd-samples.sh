#!/bin/sh
# Images that Virtual PC, Hyper-V and Disk2vhd made are described and checked without complaint.
cache=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img
samples=$(XDG_CACHE_HOME=$cache "$VPIPE_TOP/Tests/interop/fetch-qemu-samples") || exit $?

for sample in virtualpc-dynamic hyperv2012r2-dynamic d2v-zerofilled; do
  works vhd info "$samples/$sample.vhd"
  shows 'type: dynamic'
  works vhd check "$samples/$sample.vhd"
  shows ': no problem'
  vhd convert "$samples/$sample.vhd" sample.raw --force
  # The size is the footer's size field; qemu is told to take that one, too.
  qemu-img compare --image-opts driver=raw,file.filename=sample.raw \
    "driver=vpc,force_size_calc=current_size,file.filename=$samples/$sample.vhd"
done

works vhd info "$samples/virtualpc-dynamic.vhd"
shows 'size: 136365211648 bytes' 'creator: vpc  1.0' 'geometry: 65278/16/255 (136363130880 bytes)' 'created: 2016-02-17'

# Cut short, each of them is refused.
for left in 513 2048 200000; do
  head -c $left "$samples/virtualpc-dynamic.vhd" >cut.vhd
  fails 65 vhd convert cut.vhd cut.raw
  absent cut.raw
done
