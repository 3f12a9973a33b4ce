#!/bin/sh
# Whatever a tool prints, it never ends with 0 when that could not be written, and says so.
. "$(dirname "$0")/../cli/functions.sh"

[ -c /dev/full ] || skip 'missing: /dev/full'
small_disk disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id
vread disk.raw >stream
vchunk <stream >chunks
vhd create -o a.vhd disk.raw
count=0
while read -r command; do
  rm -rf new new.vhd
  sh -c "$command" >out 2>stderr || fail "status $?: $command: $(cat stderr)"
  [ -s out ] || fail "prints nothing: $command"
  for output in '>/dev/full' '>&-'; do
    rm -rf new new.vhd
    status=0
    sh -c "$command $output" 2>stderr || status=$?
    [ "$status" -ne 0 ] || fail "status 0: $command $output"
    [ "$status" -lt 128 ] || fail "status $status: $command $output"
    [ -s stderr ] || fail "says nothing: $command $output"
  done
  count=$((count + 1))
done <<'LIST'
vread disk.raw
vread --raw disk.raw
vread --list disk.raw
vread --list --json disk.raw
vread --version
vread --help
vchunk <stream
vchunk --version
vchunk --help
vdedup -r R <chunks
vdedup --version
vdedup --help
vstore --version
vstore --help
vstore help put
vstore put --help
vstore init -r new
vstore init -r new --json
vstore put -r R --name b disk.raw
vstore put -r R --name b --json disk.raw
vstore put -r R --name b --dry-run disk.raw
vstore put -r R --name b <stream
vstore list -r R
vstore list -r R --json
vstore show -r R a
vstore show -r R a --json
vstore stats -r R
vstore stats -r R --json
vstore check -r R
vstore check -r R --json
vstore known -r R -o -
vstore baseline -r R a -o -
vstore repair-index -r R
vstore repair-index -r R --json
vrestore -r R a
vrestore -r R a --raw
vrestore -r R a --raw --range 0:5
vrestore --version
vrestore --help
vhd create disk.raw
vhd create <stream
vhd create --type dynamic disk.raw
vhd create --json -o new.vhd disk.raw
vhd convert disk.raw -
vhd resize a.vhd -o new.vhd 20M
vhd info a.vhd
vhd info --json a.vhd
vhd check a.vhd
vhd check --json a.vhd
vhd --version
vhd --help
vhd help create
vread --generate-completion-script bash
LIST
[ "$count" -gt 50 ] || fail "only $count commands tried"

# What is made by then is whole, and stays.
for command in 'vhd resize a.vhd -o new.vhd 20M' 'vhd create --json -o new.vhd disk.raw'; do
  rm -f new.vhd
  fails 2 sh -c "$command >/dev/full"
  says 'stdout: '
  works vhd check new.vhd
done

# A pipe that nobody reads is no success either.
for command in 'vread disk.raw' 'vchunk <stream' 'vdedup -r R <chunks' 'vrestore -r R a' 'vrestore -r R a --raw' 'vhd create <stream'; do
  sh -c "{ $command 2>/dev/null; echo \$? >status; } | true"
  case $(cat status) in 2 | 141) ;; *) fail "status $(cat status): $command | true" ;; esac
done
