#!/bin/sh
# With --json every result and every error is JSON, usage errors too: results on stdout, errors on stderr, one object a
# line, with words joined by underscores.
. "$(dirname "$0")/../cli/functions.sh"

requires python3
small_disk disk.raw
vread disk.raw >stream
vchunk <stream >chunks

# objects FILE KEY...: FILE holds JSON objects, at least one, one a line; the first has these keys.
objects() {
  python3 - "$@" <<'P' || fail "not the JSON that was expected of: $command"
import json, re, sys
def names(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)
with open(sys.argv[1]) as file:
    found = [json.loads(line) for line in file]
assert found and all(isinstance(one, dict) for one in found), found
for key in sys.argv[2:]:
    assert key in found[0], f"no {key} in {found[0]}"
for one in found:
    for key in names(one):
        assert re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", key), f"{key} in {one}"
    if "time" in one:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["time"]), one["time"]
P
}

# result KEYS COMMAND...: it works and its result is such objects.
result() {
  keys=$1
  shift
  command="$*"
  works "$@"
  # shellcheck disable=SC2086
  objects stdout $keys
}
result 'id repository' vstore init -r R --json
result 'id name time complete bytes added_bytes added_chunks' vstore put -r R --name a --json disk.raw
result '' vstore put -r R --name a --dry-run --json disk.raw
result 'id time name bytes volumes complete' vstore list -r R --json
result 'id' vstore show -r R a --json
result 'points packs chunks' vstore stats -r R --json
result 'message_type damaged packs points' vstore check -r R --json --read-data
result '' vstore repair-index -r R --json
result 'volumes' vread --list --json disk.raw
result 'volumes' vread --list --scan --json disk.raw
result 'file size' vhd create --json -o a.vhd disk.raw
result '' vhd convert --json disk.raw b.vhd --type dynamic
result 'size type' vhd info --json b.vhd
result 'findings problems' vhd check --json b.vhd
command='vdedup --stats --json'
vdedup --stats --json -r R <chunks >stdout 2>stderr
objects stderr message_type chunks new_chunks

# One point a line.
vstore put -q -r R --name b disk.raw >id
works vstore list -r R --json
is "$(wc -l <stdout)" 2
works vstore list -r R --json b
is "$(wc -l <stdout)" 1

# error STATUS COMMAND...: it fails like that and says so in JSON.
error() {
  command="$*"
  status=$1
  fails "$@"
  objects stderr message_type message status tool
  is "$(wc -l <stderr)" 1
  grep -q "\"status\":${status}[,}]" stderr || fail "$command: another status in $(cat stderr)"
  [ "${2%% *}" = sh ] || grep -q "\"tool\":\"$2\"" stderr || fail "$command: another tool in $(cat stderr)"
}
error 10 vstore list -r nowhere --json
error 10 vstore show -r R nobody --json
error 10 vrestore -r R nobody --json
error 64 vrestore --json
error 64 vrestore -r R a --raw --json --range 5
error 64 vread --json
error 64 vread --json --skip nonsense disk.raw
error 64 vread --list --json --nonsense disk.raw
error 2 vread --json nothing.raw
error 64 vchunk --json --size 3 <stream
error 4 vchunk --json </dev/null
error 65 vchunk --json <disk.raw
error 4 vdedup --json -r R </dev/null
error 64 vstore put --json -r R disk.raw
error 64 vstore put --json -r R --name a/b disk.raw
error 4 vstore put --json -r R --name c </dev/null
error 64 vstore init --json -r R --mode nonsense
error 64 vstore check --json -r R --read-data-subset 3
error 64 vstore nonsense --json
error 65 vhd check --json disk.raw
error 64 vhd create --json --type nonsense -o c.vhd disk.raw
error 4 vhd create --json -o c.vhd </dev/null
error 64 vhd --json
flip b.vhd 20
command='vhd check --json of a damaged disk'
fails 1 vhd check --json b.vhd
objects stdout findings problems
grep -q '"hint":' stderr && fail 'a hint about a check that was done'

# The findings of check.
for pack in R/packs/*/*; do flip "$pack" $(($(size "$pack") / 2)); done
command='vstore check --json of a damaged repository'
fails 1 vstore check -r R --json --read-data
objects stdout message_type
grep -q '"message_type":"finding"' stdout
tail -n 1 stdout | grep -q '"message_type":"summary"'
