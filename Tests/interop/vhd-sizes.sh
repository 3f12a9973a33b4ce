#!/bin/sh
# qemu-img and libvhdi see the size and the bytes of our images, whatever the size; check and Azure's rules agree.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img vhdiinfo python3

# Sparse disks with something in the first, a middle and the last sector.
G=$((1 << 30))
for size in $((1 << 20)) $(((1 << 20) + 512)) $((5 << 20)) $((20 << 20)) $((100 << 20)) $((504 << 20)) $((G + 512)) \
  $((8 * G)) $((127 * G - 512)) $((127 * G)) $((127 * G + 512 * 7)) $((128 * G)) $((1024 * G + 512 * 4097)) $((2040 * G)); do
  rm -f disk.raw
  middle=$((size / 2 & ~511))
  truncate -s "$size" disk.raw
  noise 700 1 | put_at disk.raw 0
  noise 700 2 | put_at disk.raw $middle
  noise 700 3 | put_at disk.raw $((size - 700))
  for type in fixed dynamic; do
    vhd convert disk.raw disk.vhd --type $type --force
    vhd check --quiet disk.vhd
    qemu-img info -f vpc --output=json disk.vhd >info.json
    is "$(python3 -c 'import json; print(json.load(open("info.json"))["virtual-size"])')" "$size"
    vhdiinfo disk.vhd >vhdi
    grep -q "Media size.*($size bytes)\|Media size.*: $size bytes" vhdi || {
      cat vhdi >&2
      fail "vhdiinfo does not see $size bytes"
    }
    # Comparing reads all of the nothing between: an hour for the largest.
    if [ "$size" -le $((130 * G)) ] || [ "${VPIPE_ALL:-0}" = 1 ]; then
      qemu-img compare -f vpc -F raw disk.vhd disk.raw
    fi
    vhd convert disk.vhd back.raw --force
    is "$(size back.raw)" "$size"
    for place in 0 $middle $((size - 700)); do
      cmp -n 700 -i "$place" back.raw disk.raw
    done
    [ "$(allocated disk.vhd)" -lt $((32 << 20)) ] || fail "$type $size takes $(allocated disk.vhd) bytes"
  done
done

# Blocks of other sizes.
truncate -s $((100 << 20)) disk.raw
small_disk small.raw
put_at disk.raw $((31 << 20)) <small.raw
truncate -s $(((100 << 20) - 512 * 3)) disk.raw
for block in 64K 512K 1M 4M 32M 256M; do
  vhd convert disk.raw disk.vhd --type dynamic --block-size $block --force
  vhd check --quiet disk.vhd
  qemu-img compare -f vpc -F raw disk.vhd disk.raw
  vhd convert disk.vhd back.raw --force
  same back.raw disk.raw
done
