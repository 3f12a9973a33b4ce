#!/bin/sh
# Plain bytes are taken when exactly as many come as were announced.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
size=$(size disk.raw)
for type in fixed dynamic; do
  head -c "$size" disk.raw | vhd create --raw-input --size "$size" --type $type -o disk.vhd
  vhd check disk.vhd
  vhd convert disk.vhd back.raw --force
  same back.raw disk.raw
  vhd create --raw-input --size "$size" --type $type <disk.raw | cat >piped.vhd
  vhd convert piped.vhd back.raw --force
  same back.raw disk.raw
  rm disk.vhd

  fails 4 vhd create --raw-input --size $((size + 1)) --type $type -o disk.vhd <disk.raw
  says "stdin: ends after $size bytes, $((size + 1)) were announced"
  absent disk.vhd
  fails 65 vhd create --raw-input --size $((size - 1)) --type $type -o disk.vhd <disk.raw
  says "stdin: goes on after the $((size - 1)) bytes that were announced"
  absent disk.vhd
done

# A last sector that is not full is filled up with zeros.
head -c 1000 disk.raw | vhd create --raw-input --size 1000 -o odd.vhd 2>stderr
says 'grown from 1000 to 1024 bytes'
is "$(size odd.vhd)" 1536
vhd convert odd.vhd odd.raw
head -c 1000 disk.raw >expected
truncate -s 1024 expected
same odd.raw expected

fails 64 vhd create --raw-input -o disk.vhd <disk.raw
fails 64 vhd create --size 1M -o disk.vhd <disk.raw
fails 64 vhd create --raw-input --size many -o disk.vhd <disk.raw
fails 64 vhd create --raw-input --size 1M disk.raw -o disk.vhd
absent disk.vhd
