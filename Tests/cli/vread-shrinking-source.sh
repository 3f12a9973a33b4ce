#!/bin/sh
# A source that becomes shorter while it is read is never passed on as complete: status 2 and no seal, or
# with --salvage status 3 and the rest marked as bad.
. "$(dirname "$0")/../cli/functions.sh"

# Reads 1 MB of the stream, cuts the disk behind what may have been read ahead, reads the rest.
cut_while_reading() {
  noise 8M >part
  cat part part part part part part part part >disk.raw
  {
    status=0
    vread "$@" disk.raw 2>stderr || status=$?
    echo $status >status
  } | {
    head -c 1000000
    truncate -s 50M disk.raw
    cat
  } >stream
  cat status
}

is "$(cut_while_reading)" 2
says 'vread: disk.raw: bytes 52428800 to' 'the source has become shorter'
is "$(cut_while_reading --salvage)" 3
says 'disk: bytes 52428800 to 67108864 could not be read'
is "$(cut_while_reading --raw)" 2
is "$(cut_while_reading --raw --salvage)" 3
is "$(size stream)" 67108864
head -c 52428800 stream | cmp - disk.raw
