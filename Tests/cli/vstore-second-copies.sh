#!/bin/sh
# The second copy of a point: one that somebody deleted is damage; one that an interrupted writer did not come to is not, and
# the next put makes it.
. "$(dirname "$0")/../cli/functions.sh"

works vstore init -r R
noise 300K 1 >disk.raw
vstore put -q -r R --name a disk.raw >id
copy=$(echo R/copies/*"$(cat id)")

rm "$copy"
fails 1 vstore check -r R
shows "damage: ${copy#R/}: missing"
works vstore put -q -r R --name a disk.raw
works vstore check -r R
cmp "$copy" "R/points/$(basename "$copy")"

# What a writer leaves that was killed between the two.
rm "$copy"
mkdir R/writers/00112233445566778899aabbccddeeff
: >R/writers/00112233445566778899aabbccddeeff.alive
works vstore check -r R
shows "note: ${copy#R/}: missing"
works vstore put -q -r R --name a disk.raw
works vstore check -r R
never_says missing
cmp "$copy" "R/points/$(basename "$copy")"
is "$(ls R/writers)" ''

# A point that is damaged is not copied.
rm "$copy"
flip "R/points/$(basename "$copy")" 100
works vstore put -q -r R --name a disk.raw
absent "$copy"
fails 1 vstore check -r R
shows "damage: points/$(basename "$copy")" "damage: ${copy#R/}: missing"
