#!/bin/sh
# A disk of 64 GiB that holds a file system with some files costs what the files cost: processor time, memory, stream,
# map and repository.
. "$(dirname "$0")/../cli/functions.sh"

requires mkfs.ext4 qemu-img
[ -x /usr/bin/time ] || skip 'missing: /usr/bin/time'
truncate -s 64G disk.raw
cp -r "$VPIPE_TOP/Sources" files
noise 20M >files/noise
mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 -d files disk.raw
content=$(allocated disk.raw)
[ "$content" -lt 300000000 ] || skip 'no sparse files here'

# cheap COMMAND...: it takes less than 5 s of processor time and 256 MiB of memory.
cheap() {
  /usr/bin/time -f '%U %S %M' -o used "$@"
  awk -v what="$*" '$1 + $2 > 5 || $3 > 262144 { print what ": " $1 + $2 " s, " $3 " KiB"; exit 1 }' used >&2
}
vstore init -r R >/dev/null
cheap vread disk.raw >stream
[ "$(size stream)" -lt $((content + 1048576)) ] || fail "a stream of $(size stream) bytes for $content of content"
cheap vchunk <stream >chunks
cheap vdedup -r R <chunks >new
cheap vstore put -q -r R --name a <new >id
cheap vstore put -q -r R --name b disk.raw >id
cheap vstore check -q -r R --read-data
cheap vrestore -r R a -o out.raw
qemu-img compare -q -f raw -F raw disk.raw out.raw
is "$(size out.raw)" 68719476736
[ "$(allocated out.raw)" -le $((content + 1048576)) ] || fail "$(allocated out.raw) bytes for $content of content"

# The map: 16384 segments, nearly all of which are one hole.
vstore baseline -r R a -o baseline
[ "$(size baseline)" -lt 100000 ] || fail "a baseline of $(size baseline) bytes"
stored=$(du -sb R | cut -f 1)
[ "$stored" -lt $((content + 2097152)) ] || fail "a repository of $stored bytes for $content of content"
vread disk.raw | vstore put -q -r R --name a >id
[ $(($(du -sb R | cut -f 1) - stored)) -lt 100000 ] || fail 'an unchanged disk adds to the repository'
