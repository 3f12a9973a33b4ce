#!/bin/sh
# A source that is written to while it is read is told, in the stream too.
. "$(dirname "$0")/../cli/functions.sh"

noise 8M >part
cat part part part part part part part part >disk.raw
touch -d '1 hour ago' disk.raw
vread disk.raw 2>stderr | {
  head -c 1000000
  printf x | put_at disk.raw 100
  cat
} >stream
says 'vread: warning: disk: disk.raw changed while it was read'
grep -q 'disk.raw changed while it was read' stream

# Also when it was written to just before, and all is over within a second.
for turn in 1 2 3; do
  cp part small.raw
  vread small.raw 2>stderr | {
    head -c 1000000
    printf x | put_at small.raw $turn
    cat
  } >stream
  says 'vread: warning: small: small.raw changed while it was read'
done
