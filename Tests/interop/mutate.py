"""Changes single fields of VHD and VHDX files, one at a time, and puts checksums right where that is asked for.

What the formats are is written down here a second time, from their specifications; nothing is shared with the tools.
"""
import os, random, struct, uuid

VHD_FOOTER = [("cookie", 0, 8), ("features", 8, 4), ("version", 12, 4), ("header offset", 16, 8), ("timestamp", 24, 4),
              ("creator", 28, 4), ("creator version", 32, 4), ("creator system", 36, 4), ("original size", 40, 8),
              ("size", 48, 8), ("cylinders", 56, 2), ("heads", 58, 1), ("sectors", 59, 1), ("type", 60, 4),
              ("checksum", 64, 4), ("identifier", 68, 16), ("saved state", 84, 1), ("reserved", 85, 427)]
VHD_HEADER = [("cookie", 0, 8), ("next", 8, 8), ("table offset", 16, 8), ("version", 24, 4), ("entry count", 28, 4),
              ("block size", 32, 4), ("checksum", 36, 4), ("parent identifier", 40, 16), ("parent timestamp", 56, 4),
              ("reserved", 60, 4), ("parent name", 64, 512)]
for _i in range(8):
    VHD_HEADER += [(f"locator {_i} {name}", 576 + 24 * _i + at, n) for name, at, n in
                   (("code", 0, 4), ("space", 4, 4), ("length", 8, 4), ("reserved", 12, 4), ("offset", 16, 8))]
VHD_HEADER += [("reserved end", 768, 256)]

VHDX_HEADER = [("signature", 0, 4), ("checksum", 4, 4), ("sequence", 8, 8), ("file write", 16, 16), ("data write", 32, 16),
               ("log guid", 48, 16), ("log version", 64, 2), ("version", 66, 2), ("log length", 68, 4),
               ("log offset", 72, 8), ("reserved", 80, 4016)]
BAT = uuid.UUID("2DC27766-F623-4200-9D64-115E9BFD4A08").bytes_le
METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
ITEMS = {uuid.UUID(text).bytes_le: name for text, name in (
    ("CAA16737-FA36-4D43-B3B6-33F0AA44E76B", "file parameters"), ("2FA54224-CD1B-4876-B211-5DBED83BF4B8", "disk size"),
    ("BECA12AB-B2E6-4523-93EF-C309E000C746", "disk identifier"),
    ("8141BF1D-A96F-4709-BA47-F233A8FAAB5F", "logical sector"),
    ("CDA348C7-445D-4471-9CC9-E9885251C556", "physical sector"),
    ("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C", "parent locator"))}

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ 0x82F63B78 if _n & 1 else _n >> 1
    _TABLE.append(_n)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def sealed_vhd(data, place):
    data = bytearray(data)
    data[place:place + 4] = bytes(4)
    data[place:place + 4] = struct.pack(">I", ~sum(data) & 0xFFFFFFFF)
    return bytes(data)


def sealed_vhdx(data):
    data = bytearray(data)
    data[4:8] = bytes(4)
    data[4:8] = struct.pack("<I", crc32c(data))
    return bytes(data)


class Field:
    """A field: its structure, which starts at `base` and has `length` bytes, and its own place in there."""

    def __init__(self, structure, name, base, length, at, count, seal=None):
        self.structure, self.name, self.base, self.length = structure, name, base, length
        self.at, self.count, self.seal = at, count, seal

    def __str__(self):
        return f"{self.structure}, {self.name}"


def vhd_fields(path):
    """Every field of a VHD."""
    with open(path, "rb") as file:
        end = os.path.getsize(path) - 512
        file.seek(end)
        footer = file.read(512)
        fields = [Field("footer", n, end, 512, at, c, "vhd 64") for n, at, c in VHD_FOOTER]
        if struct.unpack(">I", footer[60:64])[0] == 2:
            return fields
        fields += [Field("copy", n, 0, 512, at, c, "vhd 64") for n, at, c in VHD_FOOTER]
        place = struct.unpack(">Q", footer[16:24])[0]
        file.seek(place)
        header = file.read(1024)
        fields += [Field("header", n, place, 1024, at, c, "vhd 36") for n, at, c in VHD_HEADER]
        table, count = struct.unpack(">Q", header[16:24])[0], struct.unpack(">I", header[28:32])[0]
        file.seek(table)
        entries = struct.unpack(f">{count}I", file.read(4 * count))
        present = [i for i in range(count) if entries[i] != 0xFFFFFFFF]
        absent = [i for i in range(count) if entries[i] == 0xFFFFFFFF]
        for name, some in ("present", present[:12] + present[-4:]), ("absent", absent[:12]):
            fields += [Field("table", f"{name} entry {i}", table + 4 * i, 4, 0, 4) for i in some]
        padding = table + 4 * count
        if padding % 512:
            fields.append(Field("table", "padding", padding, 512 - padding % 512, 0, 512 - padding % 512))
    return fields


def vhdx_fields(path):
    """Every field of a VHDX."""
    fields = [Field("file", "signature", 0, 520, 0, 8), Field("file", "creator", 0, 520, 8, 512)]
    with open(path, "rb") as file:
        for number, place in (1, 65536), (2, 131072):
            fields += [Field(f"header {number}", n, place, 4096, at, c, "vhdx") for n, at, c in VHDX_HEADER]
        file.seek(196608)
        table = file.read(65536)
        count = struct.unpack("<I", table[8:12])[0]
        regions = {}
        names = [("signature", 0, 4), ("checksum", 4, 4), ("count", 8, 4), ("reserved", 12, 4)]
        for i in range(count):
            at = 16 + 32 * i
            regions[table[at:at + 16]] = struct.unpack("<QI", table[at + 16:at + 28])
            names += [(f"entry {i} guid", at, 16), (f"entry {i} offset", at + 16, 8), (f"entry {i} length", at + 24, 4),
                      (f"entry {i} required", at + 28, 4)]
        names += [("reserved end", 16 + 32 * count, 65536 - 16 - 32 * count)]
        for number, place in (1, 196608), (2, 262144):
            fields += [Field(f"region table {number}", n, place, 65536, at, c, "vhdx") for n, at, c in names]
        place = regions[METADATA][0]
        file.seek(place)
        table = file.read(65536)
        count = struct.unpack("<H", table[10:12])[0]
        names = [("signature", 0, 8), ("reserved", 8, 2), ("count", 10, 2), ("reserved 2", 12, 20)]
        items = {}
        for i in range(count):
            at = 32 + 32 * i
            items[ITEMS[table[at:at + 16]]] = struct.unpack("<II", table[at + 16:at + 24])
            names += [(f"entry {i} item", at, 16), (f"entry {i} offset", at + 16, 4), (f"entry {i} length", at + 20, 4),
                      (f"entry {i} flags", at + 24, 4), (f"entry {i} reserved", at + 28, 4)]
        names += [("reserved end", 32 + 32 * count, 65536 - 32 - 32 * count)]
        fields += [Field("metadata", n, place, 65536, at, c) for n, at, c in names]
        for name, (at, length) in items.items():
            if name == "file parameters":
                fields += [Field("item", "block size", place + at, 4, 0, 4), Field("item", "flags", place + at + 4, 4, 0, 4)]
            elif name == "parent locator":
                fields += [Field("locator", n, place + at, length, f, c) for n, f, c in
                           (("type", 0, 16), ("reserved", 16, 2), ("count", 18, 2), ("key offset", 20, 4),
                            ("value offset", 24, 4), ("key length", 28, 2), ("value length", 30, 2))]
            else:
                fields.append(Field("item", name, place + at, length, 0, length))
        file.seek(place + items["file parameters"][0])
        block = struct.unpack("<I", file.read(4))[0]
        file.seek(place + items["disk size"][0])
        size = struct.unpack("<Q", file.read(8))[0]
        file.seek(place + items["logical sector"][0])
        ratio = (1 << 23) * struct.unpack("<I", file.read(4))[0] // block
        blocks = -(-size // block)
        bat = regions[BAT][0]
        has_parent = "parent locator" in items
        count = -(-blocks // ratio) * (ratio + 1) if has_parent else blocks + (blocks - 1) // ratio
        file.seek(bat)
        entries = struct.unpack(f"<{count}Q", file.read(8 * count))
        kinds = {"present": [], "absent": [], "bitmap": []}
        for i, entry in enumerate(entries):
            kinds["bitmap" if i % (ratio + 1) == ratio else "present" if entry else "absent"].append(i)
        for name, some in kinds.items():
            fields += [Field("table", f"{name} entry {i}", bat + 8 * i, 8, 0, 8) for i in some[:9] + some[-3:]]
        fields.append(Field("table", "beyond", bat + 8 * (count + 1), 8, 0, 8))
    return fields


def changed(field, old, source, reseal):
    """The structure's bytes with the field changed: one bit, one byte or all of it, at random."""
    new = bytearray(old)
    how = source.randrange(3)
    if how == 0:
        new[field.at + source.randrange(field.count)] ^= 1 << source.randrange(8)
    elif how == 1:
        new[field.at + source.randrange(field.count)] ^= source.randrange(1, 256)
    else:
        count = min(field.count, 16)
        at = field.at + source.randrange(field.count - count + 1)
        new[at:at + count] = source.randbytes(count)
    if reseal and field.name != "checksum":
        new = sealed_vhdx(new) if field.seal == "vhdx" else sealed_vhd(new, int(field.seal.split()[1]))
    return bytes(new)


def make_vhdx_child(path):
    """Makes a differencing disk of a dynamic VHDX: with a parent locator, and a block that is partly there."""
    with open(path, "r+b") as file:
        file.seek(196608 + 16)
        regions = {}
        for _ in range(2):
            entry = file.read(32)
            regions[entry[:16]] = struct.unpack("<QI", entry[16:28])
        place, room = regions[METADATA]
        file.seek(place)
        table = bytearray(file.read(65536))
        count = struct.unpack("<H", table[10:12])[0]
        items = {ITEMS[bytes(table[at:at + 16])]: struct.unpack("<I", table[at + 16:at + 20])[0] for at in range(32, 32 + 32 * count, 32)}
        pairs = [(a.encode("utf-16-le"), b.encode("utf-16-le")) for a, b in (
            ("parent_linkage", "{83ed0ec3-24c8-49a6-a959-5e4bd1288791}"), ("relative_path", ".\\base.vhdx"),
            ("absolute_win32_path", "\\\\?\\c:\\base.vhdx"))]
        head = uuid.UUID("B04AEFB7-D19E-4A81-B789-25B8E9445913").bytes_le + struct.pack("<HH", 0, len(pairs))
        at, texts = 20 + 12 * len(pairs), b""
        for key, value in pairs:
            head += struct.pack("<IIHH", at, at + len(key), len(key), len(value))
            texts += key + value
            at += len(key) + len(value)
        locator, where = head + texts, room - 65536
        file.seek(place + where)
        file.write(locator)
        table[32 + 32 * count:64 + 32 * count] = (uuid.UUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C").bytes_le +
                                                  struct.pack("<IIII", where, len(locator), 4, 0))
        table[10:12] = struct.pack("<H", count + 1)
        file.seek(place)
        file.write(table)
        file.seek(place + items["file parameters"])
        block = struct.unpack("<II", file.read(8))[0]
        file.seek(-4, 1)
        file.write(struct.pack("<I", 2))
        ratio = (1 << 23) * 512 // block
        end = -(-file.seek(0, 2) // (1 << 20)) << 20
        file.write(b"\x0f" * (1 << 20))
        bat = regions[BAT][0]
        file.seek(bat)
        first = struct.unpack("<Q", file.read(8))[0]
        file.seek(bat)
        file.write(struct.pack("<Q", first | 7))
        file.seek(bat + 8 * ratio)
        file.write(struct.pack("<Q", end | 6))


def make_vhd_child(path):
    """Makes a differencing disk of a dynamic VHD whose header lies at 512."""
    with open(path, "r+b") as file:
        end = file.seek(-512, 2)
        footer = bytearray(file.read(512))
        footer[60:64] = struct.pack(">I", 4)
        footer = sealed_vhd(footer, 64)
        file.seek(512)
        header = bytearray(file.read(1024))
        header[40:56] = bytes(range(16))
        name = "base.vhd".encode("utf-16-be")
        header[64:64 + len(name)] = name
        for i, (code, text) in enumerate(((b"W2ru", ".\\base.vhd"), (b"W2ku", "c:\\base.vhd"))):
            data = text.encode("utf-16-le")
            header[576 + 24 * i:600 + 24 * i] = code + struct.pack(">IIIQ", 512, len(data), 0, end + 512 * i)
            file.seek(end + 512 * i)
            file.write(data.ljust(512, b"\0"))
        file.write(footer)
        file.seek(0)
        file.write(footer)
        file.write(sealed_vhd(header, 36))


def write_log(path, changes, flushed=None, first=1, guid=bytes(range(1, 17))):
    """Puts changes (file offset: 4 KiB of bytes, or a length of zeros) into a VHDX's log, an entry each, and opens it."""
    with open(path, "r+b") as file:
        headers = []
        for place in 65536, 131072:
            file.seek(place)
            data = file.read(4096)
            headers.append((struct.unpack("<Q", data[8:16])[0], place, data))
        sequence, place, header = max(headers)
        length, log = struct.unpack("<IQ", header[68:80])
        size = os.path.getsize(path)
        at = 0
        for number, (offset, change) in enumerate(changes.items()):
            count = first + number
            if isinstance(change, int):
                descriptor = b"zero" + struct.pack("<IQQQ", 0, change, offset, count)
                data = b""
            else:
                descriptor = b"desc" + change[-4:] + change[:8] + struct.pack("<QQ", offset, count)
                data = b"data" + struct.pack("<I", count >> 32) + change[8:-4] + struct.pack("<I", count & 0xFFFFFFFF)
            total = 4096 + len(data)
            entry = b"loge" + struct.pack("<IIIQII", 0, total, 0, count, 1, 0) + guid
            entry += struct.pack("<QQ", size if flushed is None else flushed, size)
            file.seek(log + at)
            file.write(sealed_vhdx((entry + descriptor).ljust(4096, b"\0") + data))
            at += total
        header = bytearray(header)
        header[8:16] = struct.pack("<Q", sequence + 1)
        header[48:64] = guid
        file.seek(65536 + 131072 - place)
        file.write(sealed_vhdx(header))
