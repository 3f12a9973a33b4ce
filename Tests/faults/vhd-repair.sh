#!/bin/sh
# Killed at whichever of its changes, `vhd repair --in-place` leaves an image that reads as before, or that it can repair.
. "$(dirname "$0")/functions.sh"

requires python3 cc qemu-img
build_killat
small_disk disk.raw
vhd convert disk.raw dynamic.vhd --type dynamic
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw log.vhdx
PYTHONPATH=$VPIPE_TOP/Tests/interop python3 -B -c '
import os
from mutate import write_log
end = os.path.getsize("log.vhdx")
write_log("log.vhdx", {end - 4096: bytes([7]) * 4096, end - 65536: 16384, end - 40960: bytes([9]) * 4096})'
vread --raw log.vhdx >log.raw
flip dynamic.vhd 50
flip dynamic.vhd -480
flip dynamic.vhd 531
cp disk.raw dynamic.raw

mkdir in
for image in log.vhdx dynamic.vhd; do
  cp $image in/image
  works "$killat" -c -v -u in -o report vhd repair --in-place in/image
  count=$(events report)
  ! grep '^blind' report || fail 'killat cannot see all changes'
  [ "$count" -ge 6 ] || fail "only $count changes"
  for kind in -k -s; do
    for n in $(seq 1 "$count"); do
      cp $image in/image
      "$killat" "$kind" "$n" -u in -o report vhd repair --in-place in/image >out 2>&1 || true
      grep -q '^done' report || grep -q 'not' report
      # Whatever read before reads the same now; and what is left can be repaired.
      if [ $image = log.vhdx ]; then
        vread --format vhdx --raw in/image >now.raw
        cmp now.raw log.raw || fail "$image, $kind $n: reads otherwise"
      fi
      works vhd repair --format "${image##*.}" --in-place in/image
      vread --format "${image##*.}" --raw in/image >now.raw
      cmp now.raw "${image%.*}.raw" || fail "$image, $kind $n: repaired otherwise"
    done
  done
  echo "$image: $count changes to the file"
done
