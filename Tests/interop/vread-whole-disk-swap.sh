#!/bin/sh
# A disk that is swap as a whole is left out but for its header, for every page size; one that a machine has
# suspended to, or that has become something else since, is read in full.
. "$(dirname "$0")/../cli/functions.sh"

requires mkswap
noise 8M >content
for page in 4096 8192 16384 32768 65536; do
  cp content swap.raw
  chmod 600 swap.raw
  mkswap -q -p $page swap.raw >/dev/null 2>&1
  cp swap.raw expected.raw
  head -c $(((8 << 20) - 65536)) /dev/zero | put_at expected.raw 65536
  vread --raw --skip swap swap.raw | cmp - expected.raw
  vread --raw swap.raw | cmp - swap.raw

  printf S1SUSPEND | put_at swap.raw $((page - 10))
  vread --raw --skip swap swap.raw 2>stderr | cmp - swap.raw
  says 'swap: the disk: Linux suspend image is not skipped: a machine has suspended to it'
  vread --list swap.raw 2>/dev/null | grep -q 'Linux suspend image .*not skipped'
done

# Shorter than its header says: swapon refuses it, so it is not in use as swap.
cp content swap.raw
chmod 600 swap.raw
mkswap -q swap.raw >/dev/null 2>&1
truncate -s 7M swap.raw
vread --raw --skip swap swap.raw 2>stderr | cmp - swap.raw
says 'Linux swap is not skipped: its header does not fit the area'

# A file system with the signature of the swap area that was there before.
requires mkfs.ext4
cp content fs.raw
mkfs.ext4 -q -F fs.raw
printf SWAPSPACE2 | put_at fs.raw 4086
vread --raw --skip swap fs.raw | cmp - fs.raw
