#!/bin/sh
# Progress: machine-readable lines on the descriptor that is given, a line on stderr for each SIGUSR1, a line that is
# rewritten on a terminal; nothing else, and never on stdout.
. "$(dirname "$0")/../cli/functions.sh"

noise 9M >disk.raw
vread disk.raw >stream
vchunk <stream >chunks
vstore init -r R >/dev/null
while read -r command; do
  rm -f out.* progress
  sh -c "exec $command" 3>progress >out 2>stderr
  grep -Eq '^bytes=9437184 total=9437184 seconds=[0-9.]+$' progress || fail "$command: $(cat progress)"
  if grep -qv '^bytes=' progress; then fail "$command: $(cat progress)"; fi
  if grep -q 'bytes=' stderr; then fail "$command: progress on stderr"; fi
done <<'LIST'
vread --progress 3 disk.raw
vchunk --progress 3 <stream
vdedup --progress 3 -r R <chunks
vstore put --progress 3 -r R --name a disk.raw
vstore put --progress 3 -r R --name b <stream
vrestore --progress 3 -r R a
vrestore --progress 3 -r R a --raw
vrestore --progress 3 -r R a -o out.raw
vhd create --progress 3 -o out.vhd disk.raw
LIST
vstore check --progress 3 -r R --read-data 3>progress >out
tail -n 1 progress | grep -Eq '^bytes=([0-9]+) total=\1 '

# -v tells the sum at the end.
works vchunk -v <stream
says 'vchunk: passed 9.00 MiB in '
works vstore put -v -r R --name a disk.raw
says ' in ' '/s'

# A descriptor that is full, or whose reader goes away, does not stop the work; one that is not open is refused.
works vread --progress 3 disk.raw 3>/dev/full
mkfifo gone
# shellcheck disable=SC2094 # the reading end is closed again
exec 8<>gone 9>gone 8<&-
sh -c 'exec vread --progress 9 disk.raw' >out
exec 9>&-
rm gone
fails 64 vread --progress 9 disk.raw
says 'vread: --progress 9: not an open descriptor'
fails 64 vstore put -r R --name a --progress 7 disk.raw
says 'not an open descriptor' 'vstore put --help'
fails 64 vread --progress -1 disk.raw
fails 64 vread --progress x disk.raw

# asked COMMAND: fed slowly, it answers SIGUSR1 in its words and goes on.
asked() {
  mkfifo pipe
  # shellcheck disable=SC2086
  $1 <pipe >out 2>stderr &
  pid=$!
  {
    head -c 6000000 "$2"
    sleep 0.5
    kill -USR1 "$pid"
    tail -c +6000001 "$2"
  } >pipe
  wait "$pid"
  grep -Eq "^${1%% *}: .*[KM]iB.*/s" stderr || fail "$1: no answer: $(cat stderr)"
  rm pipe
}
asked 'vchunk' stream
asked 'vdedup -r R' chunks
asked 'vstore put -q -r R --name c' stream

# Quiet is quiet, even on a terminal; otherwise the terminal is left clean.
works vstore put -q -r R --name d disk.raw
is "$(size stderr)" 0
if command -v script >/dev/null; then
  script -qec 'vstore put -q -r R --name d disk.raw >id' typescript >/dev/null </dev/null
  is "$(tr -d '\r\n' <typescript | sed 's/Script started[^]]*\]//; s/Script done[^]]*\]//')" ''

  # Of several tools in a pipe, only the last one shows its line, with its name.
  yes 'more than can be read in no time' | head -c 200M >large.raw
  script -qec 'vread large.raw | vchunk | vdedup -r R | vstore put -r R --name e >id' typescript >/dev/null </dev/null
  tr '\r' '\n' <typescript >lines
  grep -q 'vstore: put [0-9.]* [KM]iB of 200 MiB' lines || fail "$(cat lines)"
  if grep -E 'vread|vchunk|vdedup: ' lines | grep -v '^Script'; then fail 'another tool says something'; fi
  script -qec 'vread large.raw >out' typescript >/dev/null </dev/null
  tr '\r' '\n' <typescript | grep -q 'vread: reading [0-9.]* [KM]iB of 200 MiB'
fi
