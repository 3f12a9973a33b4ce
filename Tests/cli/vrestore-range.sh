#!/bin/sh
# A range of a volume comes back alone, exactly, as plain bytes and as a file; one beyond its end is refused.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
small_disk disk.raw
vstore put -q -r R --name a disk.raw >id
total=$(size disk.raw)

for range in 0:0 0:1 0:4096 1:1 4095:2 4194303:2 4194304:4194304 1000000:9000000 "$((total - 1)):1" "$total:0" "0:$total"; do
  start=${range%:*} length=${range#*:}
  tail -c +$((start + 1)) disk.raw | head -c "$length" >expected
  vrestore -r R a --raw --range "$range" >part.raw
  same part.raw expected
  vrestore -r R a --force --range "$range" -o part.raw
  same part.raw expected
done
vrestore -r R a --raw --range 4M:64K >part.raw
tail -c +4194305 disk.raw | head -c 65536 | cmp - part.raw

for range in "0:$((total + 1))" "$total:1" "$((total + 1)):0" 18446744073709551615:18446744073709551615 -1:5 5 a:b 1: :1 1:2:3 ''; do
  fails 64 vrestore -r R a --raw "--range=$range"
  is "$(size stdout)" 0
done
fails 64 vrestore -r R a --range 0:1
