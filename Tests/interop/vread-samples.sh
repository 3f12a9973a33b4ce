#!/bin/sh
# Images that other programs made, from the qemu source package: read as they should be, a log replayed, hostile ones refused.
cache=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img
samples=$(XDG_CACHE_HOME=$cache "$VPIPE_TOP/Tests/interop/fetch-qemu-samples") || exit $?

# reads_as FORMAT IMAGE [REFERENCE]: the disk in IMAGE, which goes to out.raw, is what qemu reads of REFERENCE.
reads_as() {
  rm -rf R out.raw
  works vstore init -r R
  works vstore put -q -r R --name image "$2"
  works vrestore -q -r R image -o out.raw
  qemu-img compare -f "$1" -F raw "${3:-$2}" out.raw
}

for sample in iotest-dynamic-1G test-disk2vhd; do
  echo "* $sample"
  reads_as vhdx "$samples/$sample.vhdx"
done
echo '* iotest-version3'
reads_as vmdk "$samples/iotest-version3.vmdk"

echo '* a log that was not replayed: as if it had been, and the file stays as it is'
cp "$samples/iotest-dirtylog-10G-4M.vhdx" dirty.vhdx
sha256sum dirty.vhdx >before
cp dirty.vhdx repaired.vhdx
qemu-img check -q -r all -f vhdx repaired.vhdx
reads_as vhdx dirty.vhdx repaired.vhdx
sha256sum --quiet -c before
reads_as vhdx repaired.vhdx

echo '* hostile'
fails 65 vread --raw "$samples/afl9.vmdk" >out
