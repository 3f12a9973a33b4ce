#!/bin/sh
# A stream that ends too early, wherever, is never taken for a whole one: every reader ends with status 4, nothing is
# committed, no file appears.
. "$(dirname "$0")/functions.sh"

requires python3
record_streams

for stream in s1 s2 s3 restored; do
  frames cuts "$stream" "$(often 30 0)" "$VPIPE_SEED" >places
  while read -r cut; do
    head -c "$cut" "$stream" >"$stream.cut"
    refused "$stream.cut" 4 "stream $stream, cut at $cut of $(size "$stream")"
  done <places
done

restores R base base.raw
is_clean R --read-data
works vstore put -r R --name whole <s3
restores R "$(cat stdout)" d.raw
works vhd create -o whole.vhd <restored
