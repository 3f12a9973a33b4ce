#!/bin/sh
# Killed at whichever of its changes, `vhd resize --in-place` leaves an image that reads as before or as it was to be,
# and that the same command, after a repair, brings to its end.
. "$(dirname "$0")/functions.sh"

requires python3 cc qemu-img
build_killat
small_disk disk.raw
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic --block-size 64K
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw dynamic.vhdx

mkdir in
# grown IMAGE SIZE
for pair in fixed.vhd:20971520 dynamic.vhd:20971520 dynamic.vhdx:150323855360; do
  image=${pair%:*}
  size=${pair#*:}
  rm -f in/image
  cp "$image" in/image
  works "$killat" -c -v -u in -o report vhd resize --in-place in/image "$size"
  count=$(events report)
  ! grep '^blind' report || fail 'killat cannot see all changes'
  for n in $(seq 1 "$count"); do
    cp "$image" in/image
    "$killat" -k "$n" -u in -o report vhd resize --in-place in/image "$size" >out 2>&1 || true
    # Everything that was on the disk is still there.
    vhd compare --quiet in/image disk.raw || [ "$image" = fixed.vhd ] || fail "$image, $n: reads otherwise"
    vhd compare --json in/image disk.raw >found || true
    python3 -c '
import json, sys
first = min((r["start"] for r in json.load(open("found"))["ranges"]), default=1 << 60)
sys.exit(first < int(sys.argv[1]))' "$(size disk.raw)" ||
      fail "$image, $n: has lost something"
    vhd repair --in-place in/image >out || fail "$image, $n: cannot be repaired: $(cat out)"
    works vhd resize --in-place in/image "$size"
    works vhd check in/image
  done
  echo "$image to $size bytes: $count changes"
done
