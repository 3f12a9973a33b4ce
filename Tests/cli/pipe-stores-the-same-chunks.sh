#!/bin/sh
# The four-stage pipe, the two-stage one and put alone store the same chunks of a real disk; after one of them the
# others have nothing to add.
. "$(dirname "$0")/../cli/functions.sh"

disk=$(make_disk 192M 16M)

# One configuration, so that the maps, which hold fingerprints under the repository's key, agree as well.
vstore init -r four >/dev/null
cp -a four two
cp -a four one
four() { vread "$disk" | vchunk | vdedup -r "$1" --compress zstd | vstore put -q -r "$1" --name a; }
two() { vread "$disk" | vstore put -q -r "$1" --name a; }
one() { vstore put -q -r "$1" --name a "$disk"; }

for way in four two one; do
  $way $way >id
  [ "$(wc -c <id)" -eq 65 ] || fail "$way: not an id: $(cat id)"
  vstore known -r $way -o $way.known
  vrestore -r $way a --raw | cmp - "$disk"
done
[ "$(size one.known)" -gt 30000 ] || fail "only $(size one.known) bytes of ids"
same four.known two.known
same four.known one.known

for way in four two one; do
  $way four >id
  vstore known -r four -o again.known
  same four.known again.known
  rm again.known
done
is "$(point_ids four | wc -l)" 4
