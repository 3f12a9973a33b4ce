#!/bin/sh
# Progress goes to the descriptor that is given, messages to stderr, and nothing else anywhere.
. "$(dirname "$0")/../cli/functions.sh"

noise 9M >disk.raw
vread --progress 3 disk.raw 2>stderr 3>progress >stream
grep -q '^bytes=9437184 total=9437184 seconds=' progress
is "$(size stderr)" 0
vread -v disk.raw 2>stderr >stream
says 'vread: disk: 9.00 MiB data'
vread --version | grep -q '^[0-9][0-9.]*$'
