#!/bin/sh
# Disks of every awkward size go through the whole pipe and come back equal, as a file and as plain bytes: empty
# ones, those around a block of 4 KiB and a segment of 4 MiB, noise, text, zeros and holes.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
for count in 0 1 511 4095 4096 4097 1000003 4194303 4194304 4194305 9437183; do
  noise "$count" >noise.raw
  yes "a line of text" | head -c "$count" >text.raw
  head -c "$count" /dev/zero >zeros.raw
  rm -f hole.raw
  truncate -s "$count" hole.raw
  for kind in noise text zeros hole; do
    vread $kind.raw | vchunk | vdedup -r R | vstore put -q -r R --name "$kind-$count" >id
    vrestore -r R "$kind-$count" --raw | cmp - $kind.raw
    rm -f out.raw
    vrestore -r R "$kind-$count" -o out.raw
    same out.raw $kind.raw
  done
  vrestore -r R "noise-$count" | vstore put -q -r R --name again >id
  vrestore -r R again --raw | cmp - noise.raw
done
vstore check -r R --read-data >report
