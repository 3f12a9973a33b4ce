#!/bin/sh
# Whatever a disk's size and content, all of its bytes arrive.
. "$(dirname "$0")/../cli/functions.sh"

: >empty.raw
printf x >one.raw
noise 4097 >odd.raw
noise 9M >noise.raw
head -c 9000001 /dev/zero >zeros.raw
truncate -s 300M sparse.raw
noise 5K | put_at sparse.raw 4190000
noise 5K | put_at sparse.raw 299999999
small_disk small.raw

for disk in empty one odd noise zeros sparse small; do
  for skip in none zero,swap; do
    vread --raw --skip $skip $disk.raw >copy.raw
    same $disk.raw copy.raw
  done
  vread $disk.raw >stream
  [ "$(size stream)" -gt 64 ] || fail "no stream of $disk"
done

# Holes are not carried.
vread sparse.raw zeros.raw >stream
[ "$(size stream)" -lt 40000 ] || fail "$(size stream) bytes for 20 KiB of content"
