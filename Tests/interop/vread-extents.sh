#!/bin/sh
# VMDKs in several files: parts of each kind, in their order and with their access; ESX's sparse ones, deltas.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io python3
images="$(dirname "$0")/images.py"

cp --sparse=always "$(make_disk 192M 16M)" disk.raw
chmod u+w disk.raw
reads() {
  vread --raw "$1" | cmp - "$2" || fail "$1 reads wrong"
}

echo '* what qemu-img writes: flat, and in parts of 2 GB'
cp --sparse=always disk.raw large.raw
truncate -s 2684355584 large.raw
noise 3M 9 | put_at large.raw 2146435072
noise 3M 10 | put_at large.raw 2681209856
for kind in monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat; do
  mkdir $kind
  qemu-img convert -f raw -O vmdk -o subformat=$kind large.raw $kind/disk.vmdk
  reads $kind/disk.vmdk large.raw
done
works vread --list monolithicFlat/disk.vmdk
shows 'disk: 2.50 GiB (2684355584 bytes), vmdk'
mv twoGbMaxExtentSparse/disk-s002.vmdk elsewhere.vmdk
fails 2 vread --raw twoGbMaxExtentSparse/disk.vmdk
says "extent 'disk-s002.vmdk': is not there"
truncate -s -512 monolithicFlat/disk-flat.vmdk
fails 65 vread --raw monolithicFlat/disk.vmdk
says 'VMDK flat extent at byte 2684355072: truncated'
fails 63 vread --raw twoGbMaxExtentSparse/disk-s001.vmdk
says 'a part of a disk without the descriptor that names it is not supported'

echo '* ZERO and RDONLY extents, which qemu-img leaves out, and offsets in a file'
noise 4M 1 >a.bin
noise 3M 2 >b.bin
cat >mixed.vmdk <<'EOS'
# Disk DescriptorFile
version=1
encoding="windows-1252"
CID = 12345678
parentCID=ffffffff
createType="custom"
RW 2048 FLAT "a.bin" 1024
RW 4096 ZERO
RDONLY 6144 FLAT "b.bin" 0

rw 1 flat "a.bin" 8191
RW 2047 ZERO
RW 512 FLAT "b.bin" 5632
EOS
{
  tail -c +524289 a.bin | head -c 1M
  head -c 2M /dev/zero
  cat b.bin
  tail -c 512 a.bin
  head -c 1048064 /dev/zero
  tail -c 256K b.bin
} >mixed.raw
reads mixed.vmdk mixed.raw

echo '* ESX: COWD and seSparse, and deltas of them'
mkdir esx
cp --sparse=always disk.raw esx/base-flat.vmdk
sectors=$(($(stat -c %s disk.raw) / 512))
printf '# Disk DescriptorFile\nversion=1\nCID=0000abcd\nparentCID=ffffffff\ncreateType="vmfs"\nRW %s VMFS "base-flat.vmdk"\n' \
  $sectors >esx/base.vmdk
reads esx/base.vmdk disk.raw
cp --sparse=always disk.raw delta.raw
python3 "$images" cowd delta.raw esx/one.vmdk "$VPIPE_SEED" esx/base.vmdk
reads esx/one.vmdk delta.raw
python3 "$images" sesparse delta.raw esx/two.vmdk "$VPIPE_SEED" esx/one.vmdk
reads esx/two.vmdk delta.raw
truncate -s 314573824 alone.raw
python3 "$images" cowd alone.raw alone.vmdk "$VPIPE_SEED-3"
reads alone.vmdk alone.raw
: >alone2.raw
truncate -s 314573824 alone2.raw
python3 "$images" sesparse alone2.raw alone2.vmdk "$VPIPE_SEED-4"
reads alone2.vmdk alone2.raw
qemu-img convert -f vmdk -O raw alone2.vmdk qemu.raw
cmp qemu.raw alone2.raw
qemu-img convert -f vmdk -O raw alone.vmdk qemu.raw
cmp qemu.raw alone.raw

echo '* deltas by qemu-img'
qemu-img convert -f raw -O vmdk disk.raw base.vmdk
qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk
qemu-io -f vmdk -c 'write -P 7 1M 3M' -c 'write -P 8 100M 64K' child.vmdk >/dev/null
qemu-img convert -f vmdk -O raw child.vmdk child.raw
reads child.vmdk child.raw

echo '* a parent that is another one, or has been written to'
sed -i 's/^CID=.*/CID=0000abce/' esx/base.vmdk
fails 65 vread --raw esx/one.vmdk
says "its content identifier is 0000abce, the delta was made of 0000abcd"
sed -i 's/^CID=.*/CID=0000abcd/; s/^RW [0-9]*/RW 2048/' esx/base.vmdk
fails 65 vread --raw esx/one.vmdk
says 'but its parent has 1048576'

echo '* what is not read, by its name'
for line in 'RW 2048 VMFSRDM "a.bin"' 'NOACCESS 2048 FLAT "a.bin" 0' 'RW 2048 VMFSRAW "/dev/null"'; do
  printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\n%s\n' "$line" >odd.vmdk
  fails 63 vread --raw odd.vmdk
done
for line in 'RW 2048 FLAT' 'RW 2048 FLAT "a=1.bin" 0x0' 'RW x FLAT "a=1.bin" 0' 'RW 2048 FLAT "a.bin' 'RW 2048 FLAT "a.bin" x' 'RW 99999999999999999999 ZERO' 'RW 9999999999999999 ZERO' ''; do
  printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\n%s\n' "$line" >odd.vmdk
  fails 65 vread --raw odd.vmdk
done
