#!/bin/sh
# The next day's backup adds about what has changed, and both days restore.
. "$(dirname "$0")/../cli/functions.sh"

first=$(make_disk 256M 16M)
cp --sparse=always "$first" day.raw
"$VPIPE_TOP/scripts/make-disk" --change 1 day.raw
vstore init -r R >/dev/null
works vstore put --json -r R --name a "$first"
works vstore put --json -r R --name a day.raw

# What an average chunk around each changed place holds.
python3 - "$first" <<'P'
import json, sys
with open(sys.argv[1], "rb") as old, open("day.raw", "rb") as new:
    changed = sum(1 for _ in range(4096) if old.read(65536) != new.read(65536)) * 65536
added = json.load(open("stdout"))["added_bytes"]
print(f"{changed} bytes changed, {added} added")
assert changed > 1 << 20, "hardly a change"
assert added < 2 * changed + (1 << 20), "too much"
P
vrestore -r R a~1 --raw | cmp - "$first"
vrestore -r R a --raw | cmp - day.raw
