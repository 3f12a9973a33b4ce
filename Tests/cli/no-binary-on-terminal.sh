#!/bin/sh
# No tool writes binary to a terminal or waits there for a stream; text comes out as anywhere.
. "$(dirname "$0")/../cli/functions.sh"

requires script
noise 10K >disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id
vread disk.raw >stream
vchunk <stream >chunks

# on_terminal STATUS COMMAND: run with a terminal as stdin and stdout.
on_terminal() {
  status=0
  script -qec "$2" typescript >/dev/null </dev/null || status=$?
  [ "$status" = "$1" ] || fail "status $status, not $1: $2: $(tail -c 500 typescript)"
}
while read -r command; do
  on_terminal 64 "$command 2>stderr"
  says 'is a terminal'
  [ "$(size typescript)" -lt 400 ] || fail "$command: $(size typescript) bytes on the terminal"
done <<'LIST'
vread disk.raw
vread --raw disk.raw
vchunk <stream
vdedup -r R <chunks
vrestore -r R a
vrestore -r R a --raw
vhd create <stream
vhd convert disk.raw -
vstore known -r R -o -
vstore baseline -r R a -o -
vchunk >out
vdedup -r R >out
vstore put -r R --name b
vhd create -o out.vhd
LIST
absent out.vhd
on_terminal 0 'vstore list -r R'
grep -q 'VOLUMES' typescript
on_terminal 0 'vrestore -r R a -o out.raw'
same out.raw disk.raw
on_terminal 0 'vrestore -r R a | vstore put -r R --name c'
is "$(vstore list -r R c | wc -l)" 2
