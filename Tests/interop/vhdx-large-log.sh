#!/bin/sh
# The log of a VHDX may be of 64 MiB in one entry: it is read, checked and replayed without ever being in memory as a whole.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
[ -x /usr/bin/time ] || skip 'missing: /usr/bin/time'
small_disk disk.raw
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw plain.vhdx

cat >log.py <<'EOS'
"""log.py IMAGE CHANGED: one entry of 63 MiB in a log of 64 (qemu takes a full one for an empty one); it puts 4 KiB to the start of the last block, or spoils its checksum."""
import struct, sys
from mutate import _TABLE, sealed_vhdx

image, change = sys.argv[1:]
LENGTH, ENTRY, GUID = 64 << 20, 63 << 20, bytes(range(1, 17))


def after_zeros(state, count):
    """The state of the CRC after so many bytes of zero: one byte's step is linear, so it can be squared."""
    step = [_TABLE[(1 << bit) & 255] ^ (1 << bit) >> 8 for bit in range(32)]
    apply = lambda matrix, value: __import__("functools").reduce(int.__xor__, (matrix[b] for b in range(32) if value >> b & 1), 0)
    while count:
        if count & 1:
            state = apply(step, state)
        step = [apply(step, column) for column in step]
        count >>= 1
    return state


with open(image, "r+b") as file:
    size = file.seek(0, 2)
    log = -(-size // (1 << 20)) << 20
    page = b"changed!" * 512
    place = size - (1 << 20)
    entry = b"loge" + struct.pack("<IIIQII", 0, ENTRY, 0, 7, 1, 0) + GUID + struct.pack("<QQ", size, size)
    entry += b"desc" + page[-4:] + page[:8] + struct.pack("<QQ", place, 7)
    entry = bytearray(entry.ljust(4096, b"\0") + b"data" + struct.pack("<I", 0) + page[8:-4] + struct.pack("<I", 7))
    state = 0xFFFFFFFF
    for byte in entry:
        state = _TABLE[(state ^ byte) & 255] ^ state >> 8
    state = after_zeros(state, ENTRY - len(entry)) ^ 0xFFFFFFFF
    entry[4:8] = struct.pack("<I", state ^ (change == "spoiled"))
    file.seek(log)
    file.write(entry)
    file.truncate(log + LENGTH)
    for number, at in enumerate((65536, 131072)):
        file.seek(at)
        header = bytearray(file.read(4096))
        header[8:16] = struct.pack("<Q", 100 + number)
        header[48:64] = GUID
        header[68:80] = struct.pack("<IQ", LENGTH, log)
        file.seek(at)
        file.write(sealed_vhdx(header))
EOS
log() {
  PYTHONPATH=$VPIPE_TOP/Tests/interop python3 -B log.py "$@"
}
# within_memory STATUS COMMAND...: nothing like the log is in memory.
within_memory() {
  status=$1
  shift
  fails "$status" /usr/bin/time -q -f %M -o used "$@"
  [ "$(tail -n 1 used)" -lt 65536 ] || fail "$(tail -n 1 used) KiB: $*"
}

cp plain.vhdx large.vhdx
log large.vhdx whole
vread --raw plain.vhdx | cmp - disk.raw
within_memory 0 vhd info large.vhdx
within_memory 0 vread --list large.vhdx
within_memory 0 vread --raw large.vhdx
mv stdout read.raw
cp large.vhdx judged.vhdx
qemu-img check -q -r all judged.vhdx
qemu-img convert -f vhdx -O raw judged.vhdx judged.raw
same read.raw judged.raw
cmp -s read.raw disk.raw && fail 'the log changed nothing'
within_memory 1 vhd check large.vhdx
within_memory 0 vhd repair large.vhdx -o repaired.vhdx
vread --raw repaired.vhdx | cmp - judged.raw

cp plain.vhdx spoiled.vhdx
log spoiled.vhdx spoiled
within_memory 65 vread --raw spoiled.vhdx
says 'VHDX log at byte'
within_memory 1 vhd check spoiled.vhdx
