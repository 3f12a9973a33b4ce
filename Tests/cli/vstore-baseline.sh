#!/bin/sh
# A point's baseline, a small file, lets vread at the far end of a link leave out what has not changed.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
small_disk old.raw
truncate -s 1G old.raw
noise 20M 8 | put_at old.raw 100000000
vstore put -q -r R --name a old.raw --volume root >id
vstore baseline -r R a -o baseline
[ "$(size baseline)" -lt 20000 ] || fail "a baseline of $(size baseline) bytes"

# Unchanged, then changed in one place, grown, cut.
vread --base baseline --name root old.raw >stream
[ "$(size stream)" -lt 50000 ] || fail "$(size stream) bytes for nothing new"
vstore put -q -r R --name a <stream >id
vrestore -r R a --raw --range 0:200M >part
cmp -n 209715200 part old.raw
cp --sparse=always old.raw new.raw
noise 1K 9 | put_at new.raw 105000000
vread --base baseline --name root new.raw >stream
[ "$(size stream)" -lt 4300000 ] || fail "$(size stream) bytes for 1 KiB of news"
vchunk <stream | vdedup -r R | vstore put -q -r R --name a >id
vrestore -r R a -o out.raw
same out.raw new.raw
for length in 5000000 1100000001; do
  cp --sparse=always old.raw sized.raw
  truncate -s $length sized.raw
  vread --base baseline --name root sized.raw | vstore put -q -r R --name a >id
  vrestore -r R a --force -o out.raw
  same out.raw sized.raw
done

# Without the base nothing is committed; a damaged or foreign baseline is refused.
vread --base baseline --name root new.raw >stream
vstore init -r other >/dev/null
status=0
vstore put -q -r other --name a <stream 2>stderr >out || status=$?
[ "$status" -ne 0 ] || fail 'a point without its base'
says 'hint:'
is "$(point_ids other)" ''
status=0
vhd create -o out.vhd <stream 2>stderr || status=$?
[ "$status" -ne 0 ] || fail 'a disk without its base'
absent out.vhd
for place in 0 10 100 -1; do
  cp baseline bad
  flip bad "$place"
  fails 65 vread --base bad --name root new.raw
done
head -c 100 baseline >bad
fails 65 vread --base bad --name root new.raw
fails 65 vread --base new.raw --name root new.raw
fails 2 vread --base nothing --name root new.raw
