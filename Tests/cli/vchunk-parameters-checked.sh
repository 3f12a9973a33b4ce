#!/bin/sh
# Chunk parameters out of their bounds are refused with status 64 and the bounds, before anything is read or made; a
# stream that was cut otherwise than its repository cuts is told.
. "$(dirname "$0")/../cli/functions.sh"

noise 1M >disk.raw
vread disk.raw >stream
while read -r mode size; do
  fails 64 vchunk --mode "$mode" --size "$size" <stream
  is "$(size stdout)" 0
  [ -s stderr ] || fail "nothing is said about --mode $mode --size $size"
  fails 64 vstore init -r R --mode "$mode" --size "$size"
  absent R
done <<'LIST'
aligned 0
aligned 1
aligned 8K
aligned 2M
aligned 65535
aligned 65537
aligned 96K
aligned -64K
aligned 64X
aligned nonsense
aligned 18446744073709551616
aligned 17179869184G
fixed 2K
fixed 8M
fixed 12K
rolling 8K
rolling 2M
sideways 64K
ALIGNED 64K
LIST
fails 64 vchunk --size 2M <stream
says '16K to 1M'
fails 64 vchunk --mode fixed --size 8M <stream
says '4K to 4M'
fails 64 vchunk --mode sideways <stream
says 'aligned, fixed, rolling'

vstore init -r R --mode fixed --size 64K >/dev/null
fails 64 vchunk -r R --size 64K <stream
fails 10 vchunk -r nowhere <stream
vchunk <stream >chunks
works vdedup -r R <chunks
says 'warning:'
works vstore put -r R --name a <chunks
says 'warning:'
vrestore -r R a --raw | cmp - disk.raw
vchunk -r R <stream >chunks
works vdedup -r R <chunks
never_says 'warning:'
VPIPE_REPO=R vchunk <stream >chunks
works vdedup -r R <chunks
never_says 'warning:'
VPIPE_REPO=R vchunk --mode fixed --size 128K <stream >chunks
works vdedup -r R <chunks
says 'warning:'

# What was not cut yet is cut as the repository does it.
vdedup -r R <stream | vstore put -q -r R --name b >id
vrestore -r R b --raw | cmp - disk.raw
works vstore put --json -r R --name c disk.raw
shows '"added_bytes":0,'
