#!/bin/sh
# A command that is missing, misspelt or behind its options, and an option that is not there: each is told as such, with
# status 64 and a hint that leads to the right help.
. "$(dirname "$0")/functions.sh"

for tool in vhd vstore; do
  fails 64 "$tool"
  is "$(size stdout)" 0
  is "$(cat stderr)" "$tool: no command was named
$tool: hint: $tool --help lists them"
  works "$tool" --help
  works "$tool" help
  works "$tool" -h
  works "$tool" --version
done
fails 64 vstore --json
is "$(size stdout)" 0
grep -q '"message":"no command was named"' stderr

fails 64 vstore lsit -r R
says 'vstore: lsit: no such command' 'hint: vstore list is close to it'
fails 64 vhd frobnicate
says 'vhd: frobnicate: no such command' 'hint: the commands are create, convert, diff, info, check, repair'
fails 64 vhd help frobnicate
is "$(size stdout)" 0
says 'vhd: frobnicate: no such command' 'hint: the commands are create'
fails 64 vstore help lsit
says 'hint: vstore list is close to it'
fails 64 vrestore help exprot
says 'hint: vrestore export is close to it'
works vhd help help
works vrestore help export
shows 'OVERVIEW: Make an image of a point'
fails 64 vstore -r R list
says 'vstore: -r: stands before the command' 'options go behind the command: vstore list -r'
works vstore -r R --help

fails 64 vstore put -r R disk.raw
says 'hint: vstore put --help shows the options'
fails 64 vhd check
says 'hint: vhd check --help shows the options'
fails 64 vread
says 'hint: vread --help shows the options'

# The unknown word is what is wrong, not what it keeps from being found.
fails 64 vread --bogus
says "vread: unknown option '--bogus'"
fails 64 vstore put --bogus=3 -r R
says "vstore: unknown option '--bogus'"
fails 64 vread --bogus disk.raw
says "vread: unknown option '--bogus'"
fails 64 vread --raw
says 'missing expected argument'

# The help of --format lists what there is.
: >empty
fails 64 vread --format bogus empty
formats=$(sed -n 's/.*formats: //p' stderr)
vread --help | tr -s ' \n' ' ' >help
for format in $(echo "$formats" | tr -d ,); do
  grep -q "sources are in,[a-z0-9, :]* ${format}[,.]" help || fail "--help does not name $format"
done
