#!/bin/sh
# Differencing VHDs and VHDXs read as a chain of images says, sector by sector. No tool of Debian's reads them right, so
# images.py makes them from the specifications, together with the bytes that they must read as.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
images="$(dirname "$0")/images.py"

# A size that is no multiple of a block.
cp --sparse=always "$(make_disk 64M 8M)" disk.raw
chmod u+w disk.raw
truncate -s 83887616 disk.raw
noise 1536 8 | put_at disk.raw 83886080

reads() {
  vread --raw "$1" | cmp - "$2" || fail "$1 reads wrong"
}

echo '* VHD: a dynamic base, a child, a grandchild'
qemu-img convert -f raw -O vpc -o force_size disk.raw base.vhd
cp --sparse=always disk.raw child.raw
python3 "$images" vhd-child base.vhd child.vhd child.raw "$VPIPE_SEED"
reads child.vhd child.raw
cp --sparse=always child.raw grandchild.raw
python3 "$images" vhd-child child.vhd grandchild.vhd grandchild.raw "$VPIPE_SEED-2"
reads grandchild.vhd grandchild.raw
works vread --list grandchild.vhd
shows 'grandchild: 80.0 MiB (83887616 bytes), vhd'
works vhd create --type dynamic -o flat.vhd grandchild.vhd
qemu-img compare -f vpc -F raw flat.vhd grandchild.raw

echo '* a chain in another container is stored once'
works vstore init -r R
works vstore put -q -r R --name flat grandchild.raw
before=$(du -sb R/packs | cut -f 1)
works vstore put -q -r R --name chain grandchild.vhd
after=$(du -sb R/packs | cut -f 1)
[ $(((after - before) * 1000)) -lt "$before" ] || fail "$before bytes became $after"

echo '* a fixed base'
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size disk.raw fixed.vhd
cp --sparse=always disk.raw child.raw
python3 "$images" vhd-child fixed.vhd child-fixed.vhd child.raw "$VPIPE_SEED-3"
reads child-fixed.vhd child.raw

echo '* VHDX: a base of over 4 GiB, where entries for bitmaps stand between those of blocks'
cp --sparse=always disk.raw large.raw
truncate -s 4563403264 large.raw
noise 3M 9 | put_at large.raw 4294000000
qemu-img convert -f raw -O vhdx large.raw base.vhdx
cp --sparse=always large.raw childx.raw
python3 "$images" vhdx-child base.vhdx child.vhdx childx.raw "$VPIPE_SEED"
reads child.vhdx childx.raw
python3 "$images" vhdx-child child.vhdx grandchild.vhdx childx.raw "$VPIPE_SEED-2"
reads grandchild.vhdx childx.raw

echo '* the wrong parent, no parent, a parent elsewhere'
mkdir elsewhere
mv child.vhd elsewhere/
fails 2 vread --raw grandchild.vhd
says "grandchild.vhd: parent 'child.vhd': is not there"
says 'hint: --allow-references'
fails 2 vread --raw --allow-references elsewhere grandchild.vhd
says "parent 'base.vhd': is not there"
vread --raw --allow-references elsewhere --allow-references . grandchild.vhd | cmp - grandchild.raw
mv elsewhere/child.vhd .
cp base.vhd kept.vhd
qemu-img convert -f raw -O vpc -o force_size disk.raw base.vhd
fails 65 vread --raw child.vhd
says "base.vhd': its identifier is"
mv kept.vhd base.vhd
qemu-img convert -f raw -O vhdx large.raw base.vhdx
fails 65 vread --raw child.vhdx
says "base.vhdx': its data are in state"

echo '* a damaged parent is told by its name'
printf 'XX' | put_at base.vhd 1540
fails 65 vread --raw grandchild.vhd
says "grandchild.vhd: parent '$PWD/child.vhd': parent '$PWD/base.vhd': VHD block table at byte"

echo '* an image that is its own parent'
cp --sparse=always child.raw self.raw
python3 "$images" vhd-child fixed.vhd self.vhd self.raw "$VPIPE_SEED-4" self.vhd
fails 65 vread --raw self.vhd
says "parent 'self.vhd': is the image itself, or builds on it"
works vread --list fixed.vhd

echo '* a parent is not overwritten with what is made of it'
fails 64 vhd convert --force child-fixed.vhd fixed.vhd
says 'is the output as well'
