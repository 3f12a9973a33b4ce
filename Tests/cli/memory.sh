#!/bin/sh
# Each tool keeps below 256 MiB of memory, whatever the disk is: noise, text, holes, all of them larger than that.
. "$(dirname "$0")/../cli/functions.sh"

requires python3
[ -x /usr/bin/time ] || skip 'missing: /usr/bin/time'
size=300M
[ "${VPIPE_ALL:-0}" != 1 ] || size=8G
python3 -c '
import random, sys
noise = random.Random(int(sys.argv[2]))
for _ in range(int(sys.argv[1]) >> 20):
    sys.stdout.buffer.write(noise.randbytes(1 << 20))' "$(bytes $size)" "$VPIPE_SEED" >noise.raw
yes 'a line that comes again and again' | head -c "$(bytes $size)" >text.raw
truncate -s 8T hole.raw 2>/dev/null || truncate -s 1T hole.raw
noise 1M | put_at hole.raw 500000000000

# within_memory COMMAND...: at its peak it has less than 256 MiB resident.
within_memory() {
  /usr/bin/time -f %M -o used "$@"
  peak=$(tail -n 1 used)
  echo "$peak KiB: $*" >&2
  [ "$peak" -lt 262144 ] || fail "$peak KiB: $*"
}
for kind in noise text hole; do
  rm -rf R stream chunks new
  vstore init -r R >/dev/null
  within_memory vread $kind.raw >stream
  within_memory vchunk <stream >chunks
  within_memory vdedup -r R --compress zstd <chunks >new
  rm chunks
  within_memory vstore put -q -r R --name a <new >id
  rm new
  within_memory vstore put -q -r R --name a $kind.raw >id
  within_memory vstore put -q -r R --name a --no-base <stream >id
  rm stream
  within_memory vstore check -q -r R --read-data
  within_memory vrestore -r R a >stream
  if [ $kind = hole ]; then
    rm stream
    continue
  fi
  # What kind of data it is makes no difference to an image.
  if [ $kind = noise ]; then
    within_memory vhd create -o out.vhd <stream
  else
    within_memory vhd create --type dynamic -o out.vhd <stream
  fi
  within_memory vhd check -q out.vhd
  rm out.vhd stream
  within_memory vrestore -r R a -o out.raw
  same out.raw $kind.raw
  rm out.raw
done
