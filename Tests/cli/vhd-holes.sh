#!/bin/sh
# Each kind of hole in a stream: zeros, a warning and status 3, or a refusal; chunks are unpacked, references refused.
. "$(dirname "$0")/functions.sh"

requires python3

# make KIND: a stream of one disk of 3 MiB: 1 MiB of noise, a hole or chunks, 1 MiB of noise.
cat >make.py <<'END'
import ctypes, ctypes.util, struct, sys
library = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
library.XXH3_64bits_withSeed.restype = ctypes.c_uint64
library.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
def hashed(data, seed):
    return library.XXH3_64bits_withSeed(data, len(data), seed)
out = sys.stdout.buffer
prelude = bytes.fromhex("8956504950450d0a1a0a000000000000") + struct.pack("<HHI", 1, 0, 0) + bytes(range(16)) + bytes(16)
binding = hashed(prelude, 0)
out.write(prelude + struct.pack("<Q", binding))
digest, count = binding, 0
def frame(kind, payload=b"", offset=0, length=0, detail=0, flags=1):
    global digest, count
    head = struct.pack("<HHIQQQII", kind, flags, 0, count, offset, length, len(payload), detail)
    check = hashed(payload, hashed(head, binding))
    out.write(head + struct.pack("<Q", check) + payload)
    digest = hashed(struct.pack("<Q", check), digest)
    count += 1
MIB = 1 << 20
noise = open("noise.raw", "rb").read()
frame(1, b"name=disk\0", length=3 * MIB)
frame(2, noise, 0, MIB)
what = sys.argv[1]
if what == "chunk":
    packed = open("packed", "rb").read()
    frame(4, packed, MIB, MIB // 2, 1)
    frame(4, bytes(range(32)) + noise[:MIB // 2], MIB + MIB // 2, MIB // 2, 0, 3)
elif what == "reference":
    frame(5, bytes(range(32)), MIB, MIB)
else:
    frame(3, b"", MIB, MIB, int(what))
frame(2, noise, 2 * MIB, MIB)
frame(10, struct.pack("<QQQII", count, 3 * MIB, digest, 1, 0))
END
noise 1M >noise.raw
yes 'a text that packs' | head -c 524288 >text

truncate -s 1M zeros
cat noise.raw zeros noise.raw >zeros.raw
for kind in 1 2 3 4; do
  python3 make.py $kind >stream
  for type in fixed dynamic; do
    vhd create --type $type --force -o disk.vhd <stream
    vhd convert disk.vhd back.raw --force
    same back.raw zeros.raw
  done
done
rm disk.vhd

python3 make.py 5 >stream
fails 63 vhd create -o disk.vhd <stream
says 'holds only what changed since its base' 'hint: '
absent disk.vhd

python3 make.py 6 >stream
fails 3 vhd create -o disk.vhd <stream
says 'warning: 1048576 bytes could not be read' 'disk.vhd: what could not be read of the source is zero'
vhd convert disk.vhd back.raw --force
same back.raw zeros.raw
rm disk.vhd

if command -v zstd >/dev/null; then
  zstd -q -c text >packed
  python3 make.py chunk >stream
  { cat noise.raw text; head -c 524288 noise.raw; cat noise.raw; } >chunks.raw
  vhd create -o disk.vhd <stream
  vhd convert disk.vhd back.raw --force
  same back.raw chunks.raw
  rm disk.vhd
  # Bytes that do not unpack.
  noise 1000 >packed
  python3 make.py chunk >stream
  fails 65 vhd create -o disk.vhd <stream
  says 'the stream at byte 1048576: zstd: '
  absent disk.vhd
fi

python3 make.py reference >stream
fails 63 vhd create -o disk.vhd <stream
says 'a chunk that is only in a repository'
absent disk.vhd
