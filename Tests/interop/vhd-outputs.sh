#!/bin/sh
# No output is ever a file that is read, or that what is read builds on; a link's file is replaced, not the link; and a changed
# copy is not more readable than its image.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
small_disk disk.raw
vhd convert -q disk.raw base.vhd --type dynamic
cp disk.raw new.raw
noise 64K 7 | put_at new.raw 1048576
vhd diff base.vhd new.raw -o child.vhd >/dev/null
cp base.vhd base.copy
cp child.vhd child.copy

# spared COMMAND...: is refused as wrong usage, and base.vhd and child.vhd stay as they are.
spared() {
  fails 64 "$@"
  same base.vhd base.copy
  same child.vhd child.copy
}

echo '* what a child builds on'
ln -s base.vhd link.vhd
ln base.vhd hard.vhd
for output in base.vhd link.vhd hard.vhd; do
  spared vhd convert child.vhd $output --force
  spared vhd create child.vhd -o $output --force
  spared vhd diff child.vhd new.raw -o $output --force
  spared vhd diff base.vhd child.vhd -o $output --force
done
for place in 20 531; do
  flip child.vhd $place
  cp child.vhd child.copy
  for output in base.vhd link.vhd hard.vhd; do
    spared vhd repair child.vhd -o $output --force
  done
done
# Of a child that cannot be opened, its parent is not known.
mkdir away
mv base.vhd away/base.vhd
fails 64 vhd repair child.vhd -o away/base.vhd --force
says 'may be what child.vhd builds on'
same away/base.vhd base.copy
mv away/base.vhd .
works vhd repair child.vhd -o mended.vhd
works vhd compare --strict mended.vhd new.raw
echo old >there.vhd
fails 64 vhd repair child.vhd -o there.vhd --force
flip mended.vhd 20
works vhd repair mended.vhd -o there.vhd --force
works vhd compare --strict there.vhd new.raw

echo '* extents, and what is checked'
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk.raw flat.vmdk
cp flat-flat.vmdk extent.copy
fails 64 vhd convert flat.vmdk flat-flat.vmdk --format raw --force
same flat-flat.vmdk extent.copy
fails 64 vhd check base.vhd --junit base.vhd
says 'is no report'
same base.vhd base.copy
works vhd check base.vhd --junit report.xml
works vhd check base.vhd --junit report.xml

echo '* links'
mkdir other
echo old >other/target.vhd
ln -s other/target.vhd to-target.vhd
fails 64 vhd convert disk.raw to-target.vhd
works vhd convert disk.raw to-target.vhd --force
[ -L to-target.vhd ] || fail 'the link is gone'
works vhd compare --strict other/target.vhd disk.raw
works vhd resize base.vhd 40M -o to-target.vhd --force
[ -L to-target.vhd ] || fail 'the link is gone'
is "$(find . -name '*.partial')" ''
ln -s nowhere/file dangling.vhd
fails 64 vhd convert disk.raw dangling.vhd
fails 64 vhd convert disk.raw dangling.vhd --force
says 'a link that leads nowhere'

echo '* permissions'
flip base.vhd 50
for mode in 600 640 400; do
  chmod $mode base.vhd
  rm -f base.vhd.repaired base.vhd.resized
  works vhd repair base.vhd
  is "$(stat -c %a base.vhd.repaired)" $mode
  chmod $mode base.vhd.repaired
  works vhd resize base.vhd.repaired 50M -o base.vhd.resized
  is "$(stat -c %a base.vhd.resized)" $mode
done
