#!/bin/sh
# ranges tells each page that holds data, of the disk or of the file, and nothing else.
. "$(dirname "$0")/functions.sh"

requires python3
small_disk disk.raw
# A page of data that is all zeros is none.
dd if=/dev/zero of=disk.raw bs=64K seek=64 count=8 conv=notrunc status=none
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic

cat >expect.py <<'P'
import sys
data, page = open(sys.argv[1], "rb").read(), int(sys.argv[2])
if len(sys.argv) > 3:
    data = data[:-512]
ranges = []
for at in range(0, len(data), page):
    if data[at:at + page].strip(b"\0"):
        end = min(at + page, len(data))
        if ranges and ranges[-1][1] == at:
            ranges[-1][1] = end
        else:
            ranges.append([at, end])
for start, end in ranges:
    print(start, end - start)
P
for page in 512 4096 65536 1048576 4194304; do
  python3 expect.py disk.raw $page >expected
  for image in disk.raw fixed.vhd dynamic.vhd; do
    works vhd ranges --page $page $image
    same stdout expected
  done
  python3 expect.py fixed.vhd $page >expected
  works vhd ranges --page $page --file fixed.vhd
  same stdout expected
done
python3 expect.py disk.raw 4194304 >expected
works vhd ranges dynamic.vhd
same stdout expected

# Uploading exactly these ranges into zeros makes the same file: the footer is among them.
works vhd ranges --page 64K --file --json fixed.vhd
python3 - <<'P'
import json, os
lines = [json.loads(line) for line in open("stdout")]
summary = lines.pop()
assert summary["message_type"] == "summary" and summary["ranges"] == len(lines), summary
assert summary["bytes"] == sum(line["length"] for line in lines) and summary["size"] == os.path.getsize("fixed.vhd")
source = open("fixed.vhd", "rb").read()
made = bytearray(len(source))
for line in lines:
    assert line["message_type"] == "range" and line["offset"] % 512 == line["length"] % 512 == 0
    end = line["offset"] + line["length"]
    made[line["offset"]:end] = source[line["offset"]:end]
assert made == source
P

truncate -s 8T huge.raw
noise 1M | put_at huge.raw $((7 << 40))
works timeout 20 vhd ranges huge.raw
is "$(cat stdout)" "$((7 << 40)) 4194304"
truncate -s 0 empty.raw
works vhd ranges empty.raw
is "$(cat stdout)" ''
for page in 0 100 8M 3K x; do fails 64 vhd ranges --page $page disk.raw; done
fails 64 vhd ranges --file --format raw disk.raw
