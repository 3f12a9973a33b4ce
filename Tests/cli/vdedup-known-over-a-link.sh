#!/bin/sh
# A list of known chunks lets the sending side leave out what the repository has; only what is new crosses the link.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
small_disk old.raw
vstore put -q -r R --name a old.raw >id
vstore known -r R -o ids

cp old.raw new.raw
noise 100K 7 | put_at new.raw 4000000
vread new.raw | vchunk | vdedup --known ids --compress zstd --stats 2>stderr >sent
grep -q 'chunks, .*; new [1-9][0-9]*, ' stderr
[ "$(size sent)" -lt 700000 ] || fail "$(size sent) bytes for 100 KiB of news"
vstore put -q -r R --name a <sent >id
vrestore -r R a --raw | cmp - new.raw
vrestore -r R a~1 --raw | cmp - old.raw

# A list that promises more than the repository has commits nothing, and says what to do.
vstore init -r other >/dev/null
vread new.raw | vchunk | vdedup --known ids >sent
status=0
vstore put -r other --name a <sent >out 2>stderr || status=$?
[ "$status" -ne 0 ] || fail 'a point without its chunks'
says 'hint:'
is "$(cat out)" ''
is "$(point_ids other)" ''

# Damage to the list is noticed; so is a list that is none.
vread new.raw | vchunk >chunks
for place in 0 9 17 40 100 -1; do
  cp ids bad
  flip bad "$place"
  fails 65 vdedup --known bad <chunks
  says bad
done
head -c $(($(size ids) - 32)) ids >bad
fails 65 vdedup --known bad <chunks
fails 65 vdedup --known new.raw <chunks
: >bad
fails 65 vdedup --known bad <chunks
fails 2 vdedup --known nothing <chunks
says 'no such file'
