"""Reads a VHDX without a parent, written from [MS-VHDX] alone: the judge of images that no other tool reads.

    vhdx_read.py IMAGE [OUT.raw]

Everything is checked that the specification asks of a file that was closed properly: signatures, checksums, regions and
blocks at whole MiB, inside the file and not on top of each other, all required items, all reserved bits zero. Prints
"SIZE SECTOR BLOCK fixed|dynamic PRESENT-BLOCKS"; with OUT.raw writes the disk there, as a sparse file.
"""
import struct
import sys
import uuid

MIB = 1 << 20
TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def guid(data):
    return str(uuid.UUID(bytes_le=bytes(data))).upper()


def sealed(data, signature):
    assert data[:4] == signature, data[:4]
    assert struct.unpack_from("<I", data, 4)[0] == crc32c(data[:4] + bytes(4) + data[8:]), "checksum"


image = open(sys.argv[1], "rb")
image.seek(0, 2)
length = image.tell()


def read(offset, count):
    image.seek(offset)
    data = image.read(count)
    assert len(data) == count, (offset, count, length)
    return data


assert read(0, 8) == b"vhdxfile"
headers = []
for offset in (64 << 10, 128 << 10):
    header = read(offset, 4096)
    sealed(header, b"head")
    sequence, write, data, log = struct.unpack_from("<Q16s16s16s", header, 8)
    log_version, version, log_length, log_offset = struct.unpack_from("<HHIQ", header, 64)
    assert (log_version, version) == (0, 1) and not any(header[80:])
    assert any(write) and any(data) and not any(log), "a log to be replayed"
    assert log_offset % MIB == 0 and log_offset >= MIB and log_length % MIB == 0 and log_length
    headers.append((sequence, log_offset, log_length))
assert headers[0][0] != headers[1][0]
_, log_offset, log_length = max(headers)
taken = [(0, MIB), (log_offset, log_length)]

tables = [read(192 << 10, 64 << 10), read(256 << 10, 64 << 10)]
assert tables[0] == tables[1]
sealed(tables[0], b"regi")
count, reserved = struct.unpack_from("<II", tables[0], 8)
assert reserved == 0 and not any(tables[0][16 + 32 * count:])
regions = {}
for index in range(count):
    name, offset, size, required = struct.unpack_from("<16sQII", tables[0], 16 + 32 * index)
    assert offset % MIB == 0 and offset >= MIB and size % MIB == 0 and size and required == 1
    regions[guid(name)] = offset, size
    taken.append((offset, size))
bat = regions.pop("2DC27766-F623-4200-9D64-115E9BFD4A08")
meta = regions.pop("8B7CA206-4790-4B9A-B8FE-575F050F886E")
assert not regions

table = read(meta[0], 64 << 10)
assert table[:8] == b"metadata" and table[8:10] == bytes(2) and not any(table[12:32])
items = {}
for index in range(struct.unpack_from("<H", table, 10)[0]):
    name, offset, size, flags, reserved = struct.unpack_from("<16sIIII", table, 32 + 32 * index)
    assert 64 << 10 <= offset and offset + size <= meta[1] and reserved == 0
    items[guid(name)] = flags, read(meta[0] + offset, size)


def item(name, flags, layout):
    found, data = items.pop(name)
    assert found == flags and len(data) == struct.calcsize(layout), (name, found, data)
    return struct.unpack(layout, data)


block, flags = item("CAA16737-FA36-4D43-B3B6-33F0AA44E76B", 4, "<II")
(size,) = item("2FA54224-CD1B-4876-B211-5DBED83BF4B8", 6, "<Q")
(disk,) = item("BECA12AB-B2E6-4523-93EF-C309E000C746", 6, "<16s")
(sector,) = item("8141BF1D-A96F-4709-BA47-F233A8FAAB5F", 6, "<I")
(physical,) = item("CDA348C7-445D-4471-9CC9-E9885251C556", 6, "<I")
assert not items and any(disk) and flags in (0, 1)
assert sector in (512, 4096) and physical in (512, 4096) and physical >= sector
assert block in [MIB << shift for shift in range(9)] and 0 < size <= 64 << 40 and size % sector == 0

ratio = (1 << 23) * sector // block
blocks = -(-size // block)
entries = blocks + (blocks - 1) // ratio
assert entries * 8 <= bat[1]
out = None
if len(sys.argv) > 2:
    out = open(sys.argv[2], "wb")
    out.truncate(size)
present = 0
for start in range(0, entries, 1 << 16):
    numbers = struct.unpack("<%dQ" % min(1 << 16, entries - start), read(bat[0] + start * 8, min(1 << 16, entries - start) * 8))
    for index, entry in enumerate(numbers, start):
        chunk, inner = divmod(index, ratio + 1)
        state, offset = entry & 7, entry >> 20 << 20
        assert entry & 0xFFFF8 == 0
        if inner == ratio:
            assert entry == 0, "a sector bitmap in a disk without a parent"
            continue
        number = chunk * ratio + inner
        if state != 6:
            assert state == 2 and offset == 0, (number, entry)
            continue
        present += 1
        assert offset >= MIB and offset + block <= length
        taken.append((offset, block))
        if out:
            place, end = number * block, min(size, number * block + block)
            while place < end:
                piece = read(offset + place - number * block, min(MIB, end - place))
                if any(piece):
                    out.seek(place)
                    out.write(piece)
                place += len(piece)
taken.sort()
for (first, size_), (second, _) in zip(taken, taken[1:]):
    assert first + size_ <= second, "regions lie on top of each other"
if flags:
    assert present == blocks, "a fixed disk without all its blocks"
print(size, sector, block, "fixed" if flags else "dynamic", present)
