#!/bin/sh
# A fixed VHD of 8 TiB and dynamic ones of 2040 GiB are right at both ends, take seconds and little memory.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 cmp
[ -x /usr/bin/time ] || skip 'missing: /usr/bin/time'

# measured COMMAND...: fails when it takes more than 256 MiB of memory or a minute.
measured() {
  /usr/bin/time -o usage -f '%M %e' "$@"
  read -r memory seconds <usage
  [ "$memory" -lt $((256 << 10)) ] || fail "$memory KiB: $*"
  [ "${seconds%.*}" -lt 60 ] || fail "$seconds s: $*"
}

ends() {
  for place in 0 $(($2 / 2 / 4096 * 4096)) $(($2 - 1000)); do
    noise 1000 "$place" >piece
    tail -c +$((place + 1)) "$1" | head -c 1000 | cmp - piece
  done
}

make() {
  rm -f "$1"
  truncate -s "$2" "$1" 2>/dev/null || skip "the file system takes no file of $2 bytes"
  for place in 0 $(($2 / 2 / 4096 * 4096)) $(($2 - 1000)); do
    noise 1000 "$place" | put_at "$1" "$place"
  done
}

size=$((8 << 40))
make disk.raw $size
measured vhd convert disk.raw disk.vhd
is "$(size disk.vhd)" $((size + 512))
ends disk.vhd $size
is "$(tail -c 512 disk.vhd | head -c 8)" conectix
measured vhd check --quiet disk.vhd
measured vhd convert disk.vhd back.raw
is "$(size back.raw)" $size
ends back.raw $size
rm disk.vhd back.raw

# Azure takes it, and the stream carries it.
vread disk.raw >stream
[ "$(size stream)" -lt $((32 << 20)) ]
measured vhd create --azure -o disk.vhd <stream
measured vhd check --quiet --azure disk.vhd
rm disk.vhd disk.raw

size=$((2040 << 30))
make disk.raw $size
for block in 2M 512K 128K; do
  measured vhd convert disk.raw disk.vhd --type dynamic --block-size $block --force
  measured vhd check --quiet disk.vhd
  measured vhd convert disk.vhd back.raw --force
  is "$(size back.raw)" $size
  ends back.raw $size
done
fails 63 vhd convert disk.raw small-blocks.vhd --type dynamic --block-size 64K
