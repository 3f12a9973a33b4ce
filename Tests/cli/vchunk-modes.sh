#!/bin/sh
# Every way of cutting keeps all bytes, whichever stage cuts, and no chunk is larger than its mode allows.
. "$(dirname "$0")/../cli/functions.sh"

requires python3
small_disk disk.raw

# cuts LARGEST: where the stream on stdin is cut, a line each.
cat >cuts.py <<'P'
import struct, sys
stream, at, previous = sys.stdin.buffer.read(), 64, 0
while at < len(stream):
    kind, offset, length, payload = struct.unpack_from("<H14xQQL", stream, at)
    if kind in (4, 5):
        assert previous <= offset, "chunks are not in order"
        assert offset // 4194304 == (offset + length - 1) // 4194304, "a chunk crosses a segment"
        assert length <= int(sys.argv[1]), f"a chunk of {length} bytes"
        print(offset, length)
        previous = offset + length
    at += 48 + payload
P
while read -r mode size largest; do
  vread disk.raw | vchunk --mode "$mode" --size "$size" >chunks
  python3 cuts.py "$largest" <chunks >cuts
  [ -s cuts ] || fail "$mode $size: no chunks"
  rm -rf R
  vstore init -r R --mode "$mode" --size "$size" >/dev/null
  vread disk.raw | vchunk -r R | python3 cuts.py "$largest" | cmp - cuts
  vdedup -r R <chunks | vstore put -q -r R --name piped >id
  works vstore put --json -r R --name direct disk.raw
  grep -q '"added_chunks":0,' stdout || fail "$mode $size: the pipe and put cut differently: $(cat stdout)"
  for name in piped direct; do
    vrestore -r R $name --raw | cmp - disk.raw
  done
  vstore check -q -r R --read-data
done <<'LIST'
aligned 16K 65536
aligned 64K 262144
aligned 1M 4194304
fixed 4K 4096
fixed 64K 65536
fixed 4M 4194304
rolling 16K 65536
rolling 64K 262144
rolling 1M 4194304
LIST
