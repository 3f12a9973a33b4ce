#!/bin/sh
# What makes no sense is refused before anything is read, with status 64 and a word on what to do.
. "$(dirname "$0")/../cli/functions.sh"

noise 10K >disk.raw
cp disk.raw disk.img

fails 64 vread
fails 64 vread disk.raw disk.img
says 'two volumes would be called disk'
fails 64 vread disk.raw disk.img --name a
says '1 names for 2 sources'
fails 64 vread disk.raw disk.img --name a --name a
fails 64 vread disk.raw --name a/b
works vread disk.raw disk.img --name a --name b

fails 64 vread --skip excluded disk.raw
says "'excluded' is not known" 'hint: files are left out with --exclude'
fails 64 vread --exclude '/a[b' disk.raw
says "--exclude: '/a[b': a ] is missing"
fails 64 vread --exclude / disk.raw
says 'names no file'
fails 64 vread --exclude-set nonsense disk.raw
says 'sets: temp, cache, trash'
fails 2 vread --exclude-from nothing disk.raw
printf '# what is left out\n/tmp/[x\n' >patterns
fails 64 vread --exclude-from patterns disk.raw
says "patterns:2: '/tmp/[x': a ] is missing"
fails 64 vread --skip zero,nonsense disk.raw
fails 64 vread --skip '' disk.raw
fails 64 vread --skip temp disk.raw
says 'hint: a set of files is left out with --exclude-set temp'
for options in '--skip none,free' '--skip free --skip none'; do
  # shellcheck disable=SC2086
  fails 64 vread $options disk.raw
  says '--skip: none leaves nothing out, and goes with no other kind'
done
works vread --list --json --skip none disk.raw
works vread --list --json --skip 'free, swap' disk.raw
shows '"skip":["zero","free","swap"]'
works vread --list --json --skip free --skip swap disk.raw
shows '"skip":["zero","free","swap"]'
fails 64 vread --format tape disk.raw
says 'format tape is not known' 'hint: formats:'
fails 64 vread --raw disk.raw disk.img
fails 64 vread --raw --list disk.raw
fails 64 vread --scan disk.raw

fails 64 vread .
says 'is a folder'
fails 64 vread /dev/null
says 'neither a file nor a block device'
# A pipe with a name is refused whether or not somebody writes to it.
mkfifo pipe
fails 64 timeout 10 vread pipe
(exec 3<>pipe; fails 64 vread pipe)

fails 2 vread nothing.raw
says 'vread: nothing.raw: open: no such file or directory'

# The output is never one of the sources.
before=$(digest disk.raw)
status=0
# shellcheck disable=SC2094
vread disk.raw >>disk.raw 2>stderr || status=$?
is "$status" 64
says 'is the output as well'
is "$(digest disk.raw)" "$before"

# Errors as JSON, usage errors included.
fails 64 vread --json --skip nonsense disk.raw
python3 -c 'import json; e = json.load(open("stderr")); assert e["status"] == 64 and e["hint"], e'
