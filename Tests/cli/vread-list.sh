#!/bin/sh
# --list tells volumes and bytes by kind: by allocation without reading, exactly with --scan.
. "$(dirname "$0")/../cli/functions.sh"

truncate -s 8M disk.raw
noise 64K | put_at disk.raw 1048576
head -c 1M /dev/zero | put_at disk.raw 4194304
printf x >small.img

works vread --list disk.raw small.img
shows 'disk: 8.00 MiB (8388608 bytes), raw' 'by allocation' 'small: 1 B (1 bytes), raw'

fails 0 vread --list --scan --json disk.raw small.img
python3 - <<'P'
import json
report = json.load(open("stdout"))
disk, small = report["volumes"]
assert disk["name"] == "disk" and disk["size"] == 8 << 20 and disk["exact"], disk
assert disk["bytes"] == {"data": 65536, "zero": (8 << 20) - 65536}, disk
assert disk["source"] == "disk.raw" and disk["format"] == "raw" and disk["sector_size"] == 512, disk
assert small["bytes"] == {"data": 1}, small
assert report["warnings"] == [] and report["missing"] == [], report
P
fails 0 vread --list --json disk.raw
python3 -c '
import json
disk = json.load(open("stdout"))["volumes"][0]
assert not disk["exact"] and sum(disk["bytes"].values()) == 8 << 20, disk'
