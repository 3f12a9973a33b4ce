#!/bin/sh
# A swap area in a logical partition of sfdisk's extended partition is found, and only that is left out.
. "$(dirname "$0")/../cli/functions.sh"

requires sfdisk mkswap
noise 8M >part
cat part part part part part >disk.raw
head -c 512 /dev/zero | put_at disk.raw 0
printf 'label: dos\nstart=63, size=10000, type=83\nstart=10240, type=5\nstart=10303, size=4000, type=83\nstart=16384, size=40960, type=83\nstart=60000, size=2000, type=82\n' |
  sfdisk -q --no-reread disk.raw 2>/dev/null
sfdisk -d disk.raw | grep -q 'disk.raw6 : start= *16384, size= *40960' || fail 'sfdisk made something else'
start=$((16384 * 512))
cat part part part | head -c 20M >area
chmod 600 area
mkswap -q area >/dev/null 2>&1
put_at disk.raw $start <area

vread --raw disk.raw | cmp - disk.raw
cp disk.raw expected.raw
head -c $(((20 << 20) - 65536)) /dev/zero | put_at expected.raw $((start + 65536))
fails 0 vread --raw --skip swap disk.raw
never_says warning
same expected.raw stdout

fails 0 vread --list --json disk.raw
python3 - <<'P'
import json
table = json.load(open("stdout"))["volumes"][0]["table"]
parts = {p["number"]: p for p in table["partitions"]}
assert sorted(parts) == [1, 2, 5, 6, 7], parts
assert parts[2]["extended"] and parts[6]["start"] == 16384 * 512 and parts[6]["length"] == 20 << 20, parts
assert [c["kind"] for c in parts[6]["contents"]] == ["Linux swap"], parts
assert parts[7]["contents"] == [], parts
P
