#!/bin/sh
# compare tells whether two images of any formats hold the same disk, where they differ, and reads no common holes.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 qemu-img qemu-io gzip
small_disk disk.raw
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic
qemu-img convert -f raw -O vhdx disk.raw disk.vhdx
qemu-img convert -f raw -O qcow2 -c disk.raw disk.qcow2
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk
for other in fixed.vhd dynamic.vhd disk.vhdx disk.qcow2 disk.vmdk; do
  works vhd compare disk.raw $other
  shows "disk.raw and $other: the same disk"
  works vhd compare $other dynamic.vhd
  qemu-img compare -q -f raw -F "$(case $other in *.vhd) echo raw ;; *) echo "${other##*.}" ;; esac)" disk.raw \
    "$(case $other in *.vhd) echo disk.raw ;; *) echo $other ;; esac)"
done

echo '* differences, as cmp finds them'
cp disk.raw other.raw
for place in 0 511 512 1048575 5000000 12583423; do flip other.raw $place; done
qemu-img convert -f raw -O qcow2 other.raw other.qcow2
fails 1 vhd compare dynamic.vhd other.qcow2
cat >expected <<'E'
bytes 0 to 1024 differ
bytes 1048064 to 1048576 differ
bytes 4999680 to 5000192 differ
bytes 12582912 to 12583424 differ
2.50 KiB in 4 ranges differ
E
same stdout expected
is "$(cmp -l disk.raw other.raw | wc -l)" 6
fails 1 vhd compare --quiet disk.raw other.raw
is "$(cat stdout)" ''
fails 1 vhd compare --json disk.raw other.raw
python3 -c '
import json
report = json.load(open("stdout"))
assert not report["identical"] and report["complete"] and len(report["ranges"]) == 4, report
assert report["ranges"][1] == {"start": 1048064, "end": 1048576}'
cp disk.raw many.raw
for place in $(seq 0 100000 3000000); do flip many.raw "$place"; done
fails 1 vhd compare disk.raw many.raw
is "$(grep -c differ stdout)" 11
shows 'there are more differences: --all tells them'
fails 1 vhd compare --all disk.raw many.raw
shows 'in 31 ranges differ'

echo '* sizes'
cp disk.raw long.raw
truncate -s 20M long.raw
works vhd compare disk.raw long.raw
shows 'note: the disks have 12583424 and 20971520 bytes' 'the same disk'
fails 1 vhd compare --strict long.raw disk.raw
shows 'the disks have 20971520 and 12583424 bytes'
flip long.raw 20971519
fails 1 vhd compare disk.raw long.raw
shows 'bytes 20971008 to 20971520 differ'

echo '* holes are not read'
truncate -s 8T huge.raw
noise 1M | put_at huge.raw $((7 << 40))
qemu-img convert -f raw -O qcow2 huge.raw huge.qcow2
works timeout 20 vhd compare huge.raw huge.qcow2
qemu-io -f qcow2 -c "write -P 0 1T 64k" huge.qcow2 >/dev/null
works timeout 20 vhd compare huge.raw huge.qcow2
qemu-io -f qcow2 -c "write -P 1 2T 512" huge.qcow2 >/dev/null
fails 1 vhd compare huge.raw huge.qcow2
shows "bytes $((2 << 40)) to $(((2 << 40) + 512)) differ"

echo '* what cannot be read'
fails 2 vhd compare disk.raw none.raw
says 'none.raw: '
head -c 2000000 disk.qcow2 >cut.qcow2
fails 65 vhd compare cut.qcow2 disk.raw
says 'cut.qcow2: '
fails 64 vhd compare disk.raw

echo '* what holds several disks, or none that can be read at any place'
vstore init -r R >/dev/null
vread --name a --name b disk.raw fixed.vhd | vstore put -q -r R --name two >/dev/null
vrestore export -q -r R two --format ova -o two.ova
gzip -c disk.vmdk >disk.vmdk.gz
for command in 'compare two.ova disk.raw' 'compare disk.raw two.ova' 'diff dynamic.vhd two.ova -o child.vhd' \
  'ranges two.ova'; do
  # shellcheck disable=SC2086
  fails 64 vhd $command
  says 'several disks: ' 'hint: '
done
for command in 'compare disk.vmdk.gz disk.raw' 'diff dynamic.vhd disk.vmdk.gz -o child.vhd' 'ranges disk.vmdk.gz'; do
  # shellcheck disable=SC2086
  fails 64 vhd $command
  says 'disk.vmdk.gz: can only be read in order' 'hint: '
done
absent child.vhd

echo '* an OVA is compared with its manifest, too: a disk from it is not the same when its file was changed'
vread --name a disk.raw | vstore put -q -r R --name one >/dev/null
vrestore export -q -r R one --format ova -o one.ova
works vhd compare one.ova disk.raw
works vhd ranges one.ova
works vhd diff dynamic.vhd one.ova -o child.vhd
works vhd compare child.vhd disk.raw
rm child.vhd
# Of the OVF only the name is changed: the disk is what it was.
sed 's/<VirtualSystem ovf:id="one"/<VirtualSystem ovf:id="eno"/' one.ova >changed.ova
is "$(cmp -l one.ova changed.ova | wc -l)" 2
for command in 'compare changed.ova disk.raw' 'compare disk.raw changed.ova' 'compare -q changed.ova other.raw' \
  'diff dynamic.vhd changed.ova -o child.vhd' 'ranges changed.ova'; do
  # shellcheck disable=SC2086
  fails 65 vhd $command
  says 'changed.ova: manifest at byte 0: ' 'the file is damaged or was changed'
done
absent child.vhd
