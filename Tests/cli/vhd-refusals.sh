#!/bin/sh
# What would destroy something, or cannot be, is refused before anything is written.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
vread disk.raw >stream
before=$(digest disk.raw)
length=$(size disk.raw)

# A target that is there already.
echo old >there.vhd
fails 64 vhd create -o there.vhd <stream
says 'there.vhd: exists' 'hint: --force replaces it'
is "$(cat there.vhd)" old
fails 64 vhd convert disk.raw there.vhd
is "$(cat there.vhd)" old
vhd create --force -o there.vhd <stream
vhd check there.vhd

# Input and output are the same file, under whatever name.
ln disk.raw other.raw
ln -s disk.raw link.raw
for name in disk.raw other.raw link.raw ./disk.raw; do
  fails 64 vhd convert disk.raw $name --force
  says 'disk.raw: is the output as well'
  fails 64 vhd create disk.raw -o $name --force
  fails 64 vhd create --raw-input --size "$length" -o $name --force <disk.raw
  says 'stdin: is the output as well'
  is "$(digest disk.raw)" "$before"
done
fails 64 sh -c 'vhd convert disk.raw - >>disk.raw'
is "$(digest disk.raw)" "$before"

# What is no file.
mkdir folder
mkfifo fifo
for name in folder fifo /dev/null; do
  fails 64 vhd create -o $name --force <stream
  if [ $name = folder ]; then says 'folder: is a folder'; else says "$name: not a file"; fi
done
fails 2 vhd create -o missing/disk.vhd <stream
says 'missing/disk.vhd: '

# What cannot be in a VHD.
: >empty.raw
fails 63 vhd convert empty.raw empty.vhd
says 'empty.vhd: an empty disk makes no VHD'
for format in vhdx vmdk qcow2; do
  fails 63 vhd convert empty.raw empty.$format
  says "empty.$format: an empty disk makes no"
  absent empty.$format
done
vhd convert empty.raw empty.img
is "$(size empty.img)" 0
truncate -s $((2041 << 30)) large.raw
fails 63 vhd convert large.raw large.vhd --type dynamic
says 'a dynamic VHD holds 2190433320960 bytes at most' 'hint: a fixed one holds more'
truncate -s $((32768 << 30)) large.raw 2>/dev/null || truncate -s $((15 << 40)) large.raw
if [ "$(size large.raw)" -gt $((32767 << 30)) ]; then
  fails 63 vhd convert large.raw large.vhd --azure
  says 'a disk for Azure holds 35183298347008 bytes at most'
fi
absent empty.vhd large.vhd

# Options that contradict each other.
fails 64 vhd create --azure --type dynamic -o x.vhd <stream
fails 64 vhd create --type raw -o x.vhd <stream
fails 64 vhd create --type fixed --block-size 2M -o x.vhd <stream
fails 64 vhd create --type dynamic --block-size 3M -o x.vhd <stream
fails 64 vhd create --type dynamic --block-size 512 -o x.vhd <stream
fails 64 vhd create --azure --format vhdx -o x.vhdx <stream
fails 64 vhd create --azure -o x.vhdx <stream
fails 64 vhd create --type dynamic --format qcow2 -o x.vhd <stream
fails 64 vhd create --type dynamic -o x.qcow2 <stream
says '--type belongs to a VHD or VHDX, not to a qcow2'
fails 64 vhd create --sector-size 4096 -o x.vhd <stream
fails 64 vhd create --sector-size 1024 -o x.vhdx <stream
fails 64 vhd create --block-size 64K -o x.vhdx <stream
says 'not a power of two from 1.00 MiB to 256 MiB'
fails 64 vhd create --compress zstd -o x.vhdx <stream
fails 64 vhd create --compress gzip -o x.qcow2 <stream
fails 64 vhd create --format ova -o x.ova <stream
says 'hint: vrestore export makes it of a point'
fails 64 vhd convert disk.raw
fails 2 vhd create missing.raw -o x.vhd
says 'missing.raw: '
absent x.vhd x.vhdx x.qcow2 x.ova

if command -v script >/dev/null; then
  status=0
  script -qec 'vhd convert disk.raw -' /dev/null >terminal || status=$?
  is "$status" 64
  grep -q 'stdout is a terminal' terminal
fi
