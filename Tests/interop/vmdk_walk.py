"""Walks through a streamOptimized VMDK from its first byte to its last, as whoever reads it from a pipe has to.

    vmdk_walk.py IMAGE OUT.raw

Written from "Virtual Disk Format 5.0". Checks what ESXi is known to ask for (version 3, markers, no second directory, a
footer and an end), that grains ascend, and that tables and directory say where they are. Writes the disk to OUT.raw.
"""
import re
import struct
import sys
import zlib

with open(sys.argv[1], "rb") as file:
    data = file.read()
assert len(data) % 512 == 0


def header(at):
    fields = struct.unpack_from("<4sIIQQQQIQQQB4sH", data, at)
    assert fields[0] == b"KDMV" and fields[1] == 3 and fields[2] == 0x30001, fields
    assert fields[4] == 128 and fields[5] == 1 and fields[6] == 20 and fields[7] == 512
    assert fields[8] == 0 and fields[11] == 0 and fields[12] == b"\n \r\n" and fields[13] == 1
    assert not any(data[at + 79:at + 512])
    return fields[3], fields[9], fields[10]


capacity, directory, overhead = header(0)
assert directory == 2 ** 64 - 1 and overhead == 128
text = data[512:512 * 21].rstrip(b"\0").decode()
assert text.startswith("# Disk DescriptorFile\nversion=1\n") and not any(data[512 * 21:512 * 128])
cid = re.search(r"^CID=([0-9a-f]{8})$", text, re.M)[1]
assert cid not in ("ffffffff", "fffffffe")
assert re.search(r'^ddb.longContentID = "[0-9a-f]{24}%s"$' % cid, text, re.M)
assert "\nparentCID=ffffffff\n" in text and '\ncreateType="streamOptimized"\n' in text
assert '\nddb.adapterType = "lsilogic"\n' in text
assert re.search(r'^RW %d SPARSE "[^"]+"$' % capacity, text, re.M), text

out = open(sys.argv[2], "wb")
out.truncate(capacity * 512)
sector, last, grains, tables, footer = 128, -1, {}, {}, None
while True:
    value, size, kind = struct.unpack_from("<QII", data, sector * 512)
    if size:
        assert value > last and value % 128 == 0 and value < capacity
        assert footer is None and value // 65536 not in tables
        inflater = zlib.decompressobj()
        plain = inflater.decompress(data[sector * 512 + 12:sector * 512 + 12 + size])
        assert inflater.eof and not inflater.unused_data and len(plain) == 65536
        end = min(65536, (capacity - value) * 512)
        assert any(plain) and not any(plain[end:])
        out.seek(value * 512)
        out.write(plain[:end])
        grains[value // 128] = sector
        last, used = value, 12 + size
        assert not any(data[sector * 512 + used:sector * 512 + (used + 511) // 512 * 512])
        sector += (used + 511) // 512
        continue
    assert not any(data[sector * 512 + 16:sector * 512 + 512])
    content = (sector + 1) * 512
    if kind == 0:
        assert value == 0 and (sector + 1) * 512 == len(data) and footer is not None
        break
    if kind == 1:
        assert value == 4 and grains
        number = max(grains) // 512
        for index, entry in enumerate(struct.unpack_from("<512I", data, content)):
            assert entry == grains.pop(number * 512 + index, 0)
        assert not grains
        tables[number] = sector + 1
    elif kind == 2:
        count = -(-capacity // 65536)
        assert value == -(-count * 4 // 512) and not grains
        assert list(struct.unpack_from("<%dI" % count, data, content)) == [tables.get(n, 0) for n in range(count)]
        directory = sector + 1
    else:
        assert kind == 3 and value == 1
        footer = header(content)
        assert footer == (capacity, directory, 128)
    sector += 1 + value
