#!/bin/sh
# A point of a source that could not be read completely says so everywhere: status 3 for the backup and each restore, a
# mark in lists, what is missing in show; all that could be read comes back.
. "$(dirname "$0")/../cli/functions.sh"

# The disk becomes shorter while it is read; with --salvage the rest is marked as bad.
noise 8M >part
cat part part part part part part part part >disk.raw
{
  status=0
  vread --salvage disk.raw 2>stderr || status=$?
  echo $status >status
} | {
  head -c 1000000
  truncate -s 50M disk.raw
  cat
} >stream
is "$(cat status)" 3

vstore init -r R >/dev/null
fails 3 vstore put -r R --name short <stream
is "$(wc -c <stdout)" 65
says 'warning:'
status=0
vchunk <stream | vdedup -r R | vstore put -q -r R --name piped >id 2>stderr || status=$?
is "$status" 3

for name in short piped; do
  works vstore list -r R $name
  shows '(incomplete)'
  works vstore list -r R --json $name
  shows '"complete":false'
  works vstore show -r R $name
  shows 'complete: no' disk
  works vstore show -r R --json $name
  shows '"bad":14680064'

  fails 3 vrestore -r R $name --raw
  is "$(size stdout)" 67108864
  head -c 52428800 stdout | cmp - disk.raw
  says 'warning:'
  fails 3 vrestore -r R $name --force -o out.raw
  head -c 52428800 out.raw | cmp - disk.raw
  is "$(size out.raw)" 67108864
done
status=0
vrestore -r R short 2>stderr | vstore put -q -r R --name copy >id 2>stderr || status=$?
is "$status" 3
is "$(vstore list -r R --json copy | grep -c '"complete":false')" 1
fails 3 vrestore -r R copy --raw
head -c 52428800 stdout | cmp - disk.raw

# It is no base from which missing parts would become good ones.
cat part part part part part part part part >disk.raw
works vstore put -q -r R --name short disk.raw
works vrestore -r R short --raw
same stdout disk.raw
works vstore check -r R --read-data
