#!/bin/sh
# Binary never goes to a terminal; a listing does.
. "$(dirname "$0")/../cli/functions.sh"

requires script
noise 10K >disk.raw
for option in '' --raw; do
  status=0
  script -qec "vread $option disk.raw 2>stderr" typescript >/dev/null </dev/null || status=$?
  is "$status" 64
  says 'stdout is a terminal' 'hint:'
done
script -qec 'vread --list disk.raw' typescript >/dev/null </dev/null
grep -q 'disk: 10.0 KiB' typescript
