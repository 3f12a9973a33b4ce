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
