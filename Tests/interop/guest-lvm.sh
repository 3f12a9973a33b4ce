#!/bin/sh
# A volume group over a partition and a whole disk, made by lvm2: swap areas in a linear and in a striped volume are
# left out where their pieces lie, and what belongs to no volume is free; all other bytes are as they were.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-lvm-functions"

requires mkswap
noise 40M >a.raw
noise 40M >b.raw
sgdisk --clear -n 1:2048:0 -t 1:8e00 a.raw >/dev/null
lvm_attach a.raw $((1 << 20)) $((38 << 20))
first=$loop
lvm_attach b.raw
second=$loop
with_lvm pvcreate "$first" "$second"
with_lvm vgcreate -s 1M vg-0 "$first" "$second"
with_lvm lvcreate -an -Zn -Wn -L 10M -n root vg-0 "$first"
with_lvm lvcreate -an -Zn -Wn -i 2 -I 64k -L 16M -n wide vg-0
with_lvm lvcreate -an -Zn -Wn -L 4M -n gone vg-0 "$second"
with_lvm lvcreate -an -Zn -Wn -L 8M -n swap vg-0 "$second"
with_lvm lvremove -q -f vg-0/gone
with_lvm lvextend -L 12M vg-0/swap "$first"
: >pieces-cow
noise 10M >content
lvm_write vg-0/root content
for name in wide swap; do
  truncate -s 12M area
  [ $name = swap ] || truncate -s 16M area
  chmod 600 area
  mkswap -q area >/dev/null 2>&1
  noise "$(size area)" | tail -c +65537 | put_at area 65536
  lvm_write vg-0/$name area
done
sync -f a.raw

# expected KIND  makes expected-a and expected-b: zeros where a kind is left out
expected() {
  cp a.raw expected-a
  cp b.raw expected-b
  for name in wide swap; do
    lvm_pieces vg-0/$name >pieces-$name
  done
  lvm_pieces vg-0/root >pieces-root
  with_lvm pvs --noheadings --units b --nosuffix --separator '|' -o pv_name,pe_start,pe_count,vg_extent_size >physical
  python3 - "$1" "$first" "$second" <<'END'
import sys
kind, first, second = sys.argv[1:]
files = {first: (open('expected-a', 'r+b'), 1 << 20), second: (open('expected-b', 'r+b'), 0)}
def wipe(device, place, length):
    file, base = files[device]
    file.seek(base + place)
    file.write(bytes(length))
used = {first: set(), second: set()}
physical = {}
for line in open('physical'):
    device, start, count, extent = line.strip().split('|')
    physical[device] = (int(start), int(count), int(extent))
for name in ['wide', 'swap', 'root', 'cow']:
    position = 0
    for line in open('pieces-' + name):
        device, place, length = line.split()
        place, length = int(place), int(length)
        start, _, extent = physical[device]
        used[device] |= set(range((place - start) // extent, (place + length - 1 - start) // extent + 1))
        kept = max(0, min(length, 65536 - position))
        if kind == 'swap' and name in ['wide', 'swap']:
            wipe(device, place + kept, length - kept)
        position += length
if kind == 'free':
    for device, (start, count, extent) in physical.items():
        for number in set(range(count)) - used[device]:
            wipe(device, start + number * extent, extent)
END
}

for kind in swap free; do
  expected $kind
  vread --skip $kind a.raw b.raw >stream
  vstore init -r R-$kind >/dev/null
  vstore put -q -r R-$kind --name vm <stream >/dev/null
  for disk in a b; do
    vrestore -q -r R-$kind --raw vm:$disk >copy
    same expected-$disk copy
  done
done
works vread --list a.raw b.raw
shows 'LVM2 PV' 'volume group vg-0' 'root' 'wide 16.0 MiB      Linux swap'

# A file system over both disks: its free space is left out, and its files come back from the point.
requires mke2fs e2fsck
mkdir tree tree/folder
cp -R "$VPIPE_TOP/Sources/GuestLayouts/." tree/folder
noise 3M >tree/noise
truncate -s 16M wide.ext
mke2fs -q -t ext4 -d tree wide.ext
noise 2M >deleted
debugfs -w -R 'write deleted deleted' wide.ext 2>/dev/null >/dev/null
debugfs -w -R 'rm deleted' wide.ext 2>/dev/null
lvm_write vg-0/wide wide.ext
sync -f a.raw
works vread --list a.raw b.raw
shows 'wide 16.0 MiB' ' ext4'
works vread --list --picture lvm.svg a.raw b.raw
is "$(grep -c '<title>vg-0/wide: ext4</title>' lvm.svg)" 2
is "$(grep -c '<title>vg-0/root</title>' lvm.svg)" 1
works vread --audit a.raw b.raw
shows 'logical volume vg-0/wide: e2fsck: passed' 'logical volume vg-0/wide: files: passed'
vread --skip zero,free,swap a.raw b.raw >stream
vstore put -q -r R-free --name files <stream >/dev/null
works vrestore files -r R-free files --logical-volume vg-0/wide / -o out
diff -r tree out -x lost+found
works vrestore ls -r R-free files --logical-volume vg-0/wide /
shows noise
lvm_write vg-0/wide area

# One disk alone: the volume that lies on it is known, the striped one is not, and the swap volume neither.
vread --raw --skip swap a.raw | cmp - a.raw
works vread --list a.raw
shows 'not all of it is there'
says 'warning: a: volume group vg-0: physical volume pv1 (' ') ' ' is not there; read whole: swap, wide'
shows "volume group vg-0 " "physical volume pv1 ($second) "
vstore put -q -r R-free --name half --skip free a.raw 2>stderr >/dev/null
says 'is not there; read whole: swap, wide'

# A machine that mounts what is not all there has more in that folder than lies beneath it.
mkdir -p half/etc half/wide
echo '/dev/mapper/vg--0-wide /wide ext4 defaults 0 0' >half/etc/fstab
truncate -s 4M half.raw
mke2fs -q -F -t ext4 -d half half.raw
vstore put -q -r R-free --name half-root a.raw half.raw >/dev/null 2>&1
fails 3 vrestore files -r R-free half-root /wide -o half-wide
says 'warning: /wide is mounted from logical volume vg-0/wide, whose files cannot be read'

# A snapshot: what its origin calls free may be what the snapshot needs. Both are read whole; the others are not.
truncate -s 10M root.ext
mke2fs -q -t ext4 -d tree/folder root.ext
lvm_write vg-0/root root.ext
sync -f a.raw
works vread --list a.raw b.raw
grep -q ' root .* ext4 ' stdout
with_lvm lvcreate -an -Zn -Wn -L 4M -n cow vg-0
with_lvm lvconvert -y -Zn -s vg-0/root vg-0/cow
sync -f a.raw
works vread --list a.raw b.raw
grep -q " root .* (needed by one of the type 'snapshot')" stdout
grep -q ' wide .* Linux swap ' stdout
lvm_pieces vg-0/cow >pieces-cow
for kind in swap free; do
  expected $kind
  vread --skip $kind a.raw b.raw 2>stderr >stream
  says "volume group vg-0: read whole: root: needed by one of the type 'snapshot'"
  vstore put -q -r R-$kind --name snapshot <stream >/dev/null
  for disk in a b; do
    vrestore -q -r R-$kind --raw snapshot:$disk >copy
    same expected-$disk copy
  done
done
fails 10 vrestore ls -r R-free snapshot --logical-volume vg-0/root /
says "vg-0/root is needed by one of the type 'snapshot': its files cannot be read"

# Damaged metadata: both copies of the text, or the label.
cp a.raw damaged.raw
python3 - <<'END'
content = bytearray(open('damaged.raw', 'rb').read())
place = content.find(b'extent_size')
while place >= 0:
    content[place] ^= 1
    place = content.find(b'extent_size', place + 1)
open('damaged.raw', 'wb').write(content)
END
vread --skip free,swap damaged.raw b.raw 2>stderr >stream
says 'read whole'
