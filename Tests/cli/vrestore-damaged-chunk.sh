#!/bin/sh
# A damaged chunk ends a restore with status 65 and the range that is lost; nothing appears under the final name, in no
# later stage either; what the chunk does not touch still comes back.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
noise 3M 3 >good.raw
vstore put -q -r R --name good good.raw >id
cp -a R/packs good.packs
noise 9M 4 >disk.raw
vstore put -q -r R --name bad disk.raw >id

# The largest pack that came with it holds its data.
pack=$(find R/packs -type f -size +4M)
flip "$pack" $(($(size "$pack") / 2))

fails 65 vrestore -r R bad -o out.raw
absent out.raw
is "$(find . -maxdepth 1 -name '*out.raw*')" ''
grep -Eq '^vrestore: bad: .*[0-9]+' stderr
range=$(grep -oE '[0-9]{5,}' stderr | head -n 1)
[ -n "$range" ] || fail "no range named: $(cat stderr)"

fails 65 vrestore -r R bad --raw
cmp -n "$(size stdout)" stdout disk.raw
[ "$(size stdout)" -lt 9437184 ] || fail 'all bytes in spite of the damage'

{
  status=0
  vrestore -r R bad 2>stderr || status=$?
  echo $status >status
} | {
  down=0
  vhd create -o out.vhd 2>down.stderr || down=$?
  echo $down >down
}
is "$(cat status)" 65
is "$(cat down)" 4
absent out.vhd
vrestore -r R bad 2>/dev/null >stream || true
fails 4 vstore put -r R --name copy <stream
is "$(vstore list -r R copy)" ''

works vrestore -r R bad --raw --range 0:64K
cmp -n 65536 stdout disk.raw
works vrestore -r R good --raw
same stdout good.raw
fails 1 vstore check -r R --read-data
shows "$(basename "$pack")"
