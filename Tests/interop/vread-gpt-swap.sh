#!/bin/sh
# A swap partition in a GPT of sgdisk's is left out but for its first 64 KiB; swap tools still know it, and all
# other bytes are as they were.
. "$(dirname "$0")/../cli/functions.sh"

requires sgdisk mkswap blkid
noise 8M >part
cat part part part part part part part part >disk.raw
sgdisk --clear -n 1:2048:+20M -t 1:8300 -c 1:système -n 2:0:+30M -t 2:8300 -n 3:0:0 -t 3:8200 disk.raw >/dev/null
start=$((2048 * 512 + (20 << 20)))
length=$((30 << 20))
dd if=disk.raw of=area bs=1M skip=21 count=30 status=none
chmod 600 area
mkswap -q -L 'my swap' -U 11111111-2222-3333-4444-555555555555 area >/dev/null 2>&1
put_at disk.raw $start <area

vread --raw disk.raw | cmp - disk.raw
fails 0 vread --raw --skip swap -v disk.raw
says '29.9 MiB swap'
mv stdout copy.raw

# The expected disk: zeros from 64 KiB into the partition to its end.
cp disk.raw expected.raw
head -c $((length - 65536)) /dev/zero | put_at expected.raw $((start + 65536))
same expected.raw copy.raw
dd if=copy.raw of=restored bs=1M skip=21 count=30 status=none
is "$(blkid -p -s UUID -o value restored)" 11111111-2222-3333-4444-555555555555
is "$(blkid -p -s LABEL -o value restored)" 'my swap'
is "$(blkid -p -s TYPE -o value restored)" swap

# By type it would be partition 3.
works vread --list --skip swap disk.raw
shows 'GPT' 'Linux swap "my swap" 11111111-2222-3333-4444-555555555555' 'système' '29.9 MiB swap'

# The copy at the end serves when the first is damaged; with both damaged everything is read.
flip disk.raw 1030
vread --raw --skip swap disk.raw 2>stderr >copy.raw
says "the GPT is damaged: its copy at the disk's end is used"
flip expected.raw 1030
same expected.raw copy.raw
flip disk.raw -500
vread --raw --skip swap disk.raw 2>stderr | cmp - disk.raw
says 'the GPT is damaged, and so is its copy'
