#!/bin/sh
# One changed field anywhere in an image's structures is found by check; reading is right or refused.
. "$(dirname "$0")/functions.sh"

requires python3

truncate -s 9M disk.raw
noise 3M | put_at disk.raw $((1 << 20))
noise 700 | put_at disk.raw $((9437184 - 700))
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic

# A line for each change: each field once, at a random byte of it, then random places up to 100 changes.
cat >changes.py <<'END'
import os, random, sys
name, seed = sys.argv[1], int(sys.argv[2])
source, end = random.Random(seed), os.path.getsize(name + ".vhd") - 512
footer = [(0, 8), (8, 4), (12, 4), (16, 8), (24, 4), (28, 4), (32, 4), (36, 4), (40, 8), (48, 8), (56, 2), (58, 1), (59, 1),
          (60, 4), (64, 4), (68, 16), (84, 1), (85, 427)]
header = [(0, 8), (8, 8), (16, 8), (24, 4), (28, 4), (32, 4), (36, 4), (40, 16), (56, 4), (60, 4), (64, 512)]
header += [(576 + 24 * i + at, n) for i in range(8) for at, n in ((0, 4), (4, 4), (8, 4), (12, 4), (16, 8))]
header += [(768, 256)]
places = [(end + at, n) for at, n in footer]
if name == "dynamic":
    places += footer + [(512 + at, n) for at, n in header] + [(1536 + 4 * i, 4) for i in range(128)]
while len(places) < 100:
    places.append((end + source.randrange(512), 1))
for at, n in places:
    print(at + source.randrange(n), 1 << source.randrange(8))
END
for type in fixed dynamic; do
  python3 changes.py $type "$VPIPE_SEED" >changes
  [ "$(wc -l <changes)" -ge 100 ]
  cp $type.vhd changed.vhd
  while read -r place mask; do
    flip changed.vhd "$place" "$mask"
    status=0
    vhd check changed.vhd >findings 2>&1 || status=$?
    case $status in
      1) grep -q ' at byte ' findings ;;
      65) [ $type = fixed ] ;;
      *) fail "$type: byte $place with mask $mask is not found: status $status" ;;
    esac
    status=0
    vhd convert changed.vhd - --format raw >back.raw 2>errors || status=$?
    # A fixed disk without its signature is a raw one; a table has no checksum, so only check can tell.
    if [ $status = 0 ] && ! cmp -s back.raw disk.raw; then
      case $type in
        fixed) [ "$(size back.raw)" = "$(size fixed.vhd)" ] ;;
        dynamic) [ "$place" -ge 1536 ] && [ "$place" -lt 2048 ] ;;
      esac || fail "$type: byte $place with mask $mask reads wrongly"
    fi
    flip changed.vhd "$place" "$mask"
  done <changes
  same changed.vhd $type.vhd
done

# Every truncation of the last 3 KiB and of the first, and some between.
for type in fixed dynamic; do
  for left in 0 1 511 512 1000 1536 1540 2048 3584 100000 $(($(size $type.vhd) - 1024)) $(($(size $type.vhd) - 512)) \
    $(($(size $type.vhd) - 511)) $(($(size $type.vhd) - 2)); do
    head -c "$left" $type.vhd >cut.vhd
    status=0
    vhd check cut.vhd >/dev/null 2>&1 || status=$?
    case $status in 1 | 65) ;; *) fail "$type cut to $left bytes: status $status" ;; esac
  done
done
