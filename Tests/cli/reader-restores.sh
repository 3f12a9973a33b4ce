#!/bin/sh
# A page of Python that shares no code with vpipe, and reads no index, restores what vstore stored.
. "$(dirname "$0")/functions.sh"

requires python3
reader=$VPIPE_TOP/Tests/reader/restore.py

disk=$(make_disk 64M 8M)
cp --sparse=always "$disk" disk.raw
works vstore init -r repo
works vstore put -r repo --name web disk.raw
noise 300K 7 | put_at disk.raw 20000000
works vstore put -r repo --name web disk.raw
rm -r repo/index

first=$(point_ids repo | head -n 1)
python3 "$reader" repo "$first" >first.raw
same "$disk" first.raw
python3 "$reader" repo web >second.raw
same disk.raw second.raw

# One volume of several, with holes of every kind and a size off the grid.
small_disk one.raw 3
small_disk two.raw 4
works vstore put -r repo --name both one.raw two.raw
python3 "$reader" repo both two >two.out
same two.raw two.out

# It proves what it reads.
find repo/packs -type f | while read -r pack; do
  chmod u+w "$pack"
  flip "$pack" 2000
done
if python3 "$reader" repo "$first" >damaged.raw 2>stderr; then fail 'a damaged pack was restored'; fi
