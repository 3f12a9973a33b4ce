"""Makes images from their specifications, with the bytes that they must read as. Shares no code with vpipe.

images.py vhd-child PARENT CHILD EXPECTED SEED [NAME]   a differencing VHD with mixed bitmap bytes
images.py vhdx-child PARENT CHILD EXPECTED SEED [NAME]  a differencing VHDX: all block states, sector bitmaps
images.py cowd EXPECTED DESCRIPTOR SEED [PARENT]        a vmfsSparse disk, a delta where there is a parent
images.py sesparse EXPECTED DESCRIPTOR SEED [PARENT]    the same with an seSparse extent

With VPIPE_SMALL=1 there is little in them, and in few blocks: seeds for a fuzzer. EXPECTED holds the parent's bytes when it begins (or the disk's size in zeros), and gets the child's.
"""
import os, random, re, struct, sys, uuid


def crc32c(data, table=[]):
    if not table:
        for number in range(256):
            for _ in range(8):
                number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
            table.append(number)
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


SMALL = os.environ.get("VPIPE_SMALL") == "1"


def content(choice, count):
    """Random bytes; little of them and zeros where it is to be small."""
    return choice.randbytes(512) + bytes(count - 512) if SMALL else choice.randbytes(count)


class Disk:
    """The bytes that are expected, in a sparse file."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.size = os.fstat(self.file.fileno()).st_size

    def put(self, offset, data):
        if offset < self.size:
            self.file.seek(offset)
            self.file.write(data[:self.size - offset])


# Virtual Hard Disk Image Format Specification 1.0.

def vhd_sum(data):
    return ~sum(data) & 0xFFFFFFFF


def vhd_child(parent, child, expected, seed, name=None):
    choice = random.Random(seed)
    with open(parent, "rb") as file:
        file.seek(-512, 2)
        below = file.read(512)
    size, identifier = struct.unpack(">Q", below[48:56])[0], below[68:84]
    disk, block = Disk(expected), 2 << 20
    assert disk.size == size
    count = -(-size // block)
    name = name or os.path.basename(parent)
    relative = (".\\" + name).encode("utf-16-le")
    absolute = ("C:\\machines\\" + name).encode("utf-16-le")
    table = 512 + 1024
    paths = table + -(-count * 4 // 512) * 512
    place = paths + 1024
    entries, pieces = [0xFFFFFFFF] * count, []
    for index in sorted(choice.sample(range(count), min(count, 12)) + [count - 1]):
        if entries[index] != 0xFFFFFFFF:
            continue
        entries[index] = place // 512
        kind = choice.randrange(4)
        bits = [kind == 0 or choice.random() < (0.5 if kind < 3 else 0.02) for _ in range(block // 512)]
        bitmap, data = bytearray(512), bytearray(block)
        for sector, isset in enumerate(bits):
            # What is not marked holds rubbish, which nobody may read.
            piece = choice.randbytes(512) if choice.random() < (0.002 if SMALL else 0.9) else bytes(512)
            data[sector * 512:sector * 512 + 512] = piece
            if isset:
                bitmap[sector // 8] |= 0x80 >> sector % 8
                disk.put(index * block + sector * 512, piece)
        pieces.append((place, bytes(bitmap) + bytes(data)))
        place += 512 + block
    footer = bytearray(below)
    footer[16:24] = struct.pack(">Q", 512)
    footer[60:64] = struct.pack(">I", 4)
    footer[68:84] = choice.randbytes(16)
    footer[64:68] = bytes(4)
    footer[64:68] = struct.pack(">I", vhd_sum(footer))
    header = bytearray(1024)
    header[0:40] = struct.pack(">8sQQIIII", b"cxsparse", 2**64 - 1, table, 0x10000, count, block, 0)
    header[40:56] = identifier
    text = name.encode("utf-16-be")
    header[64:64 + len(text)] = text
    header[576:600] = struct.pack(">4sIIIQ", b"W2ku", 512, len(absolute), 0, paths)
    header[600:624] = struct.pack(">4sIIIQ", b"W2ru", 512, len(relative), 0, paths + 512)
    header[36:40] = struct.pack(">I", vhd_sum(header))
    with open(child, "wb") as file:
        file.write(bytes(footer) + bytes(header) + struct.pack(f">{count}I", *entries))
        file.seek(paths)
        file.write(absolute)
        file.seek(paths + 512)
        file.write(relative)
        for start, data in pieces:
            file.seek(start)
            file.write(data)
        file.seek(place)
        file.write(footer)


# [MS-VHDX].

def guid(text):
    return uuid.UUID(text).bytes_le


def vhdx_state(path):
    """The GUID of the data's state, and the disk's size."""
    with open(path, "rb") as file:
        best = None
        for offset in (64 << 10, 128 << 10):
            file.seek(offset)
            head = bytearray(file.read(4096))
            stored = struct.unpack("<I", head[4:8])[0]
            head[4:8] = bytes(4)
            if head[:4] == b"head" and crc32c(head) == stored:
                number = struct.unpack("<Q", head[8:16])[0]
                if best is None or number > best[0]:
                    best = (number, bytes(head[32:48]))
        file.seek(192 << 10)
        table = file.read(64 << 10)
        for entry in range(struct.unpack("<I", table[8:12])[0]):
            at = 16 + 32 * entry
            if table[at:at + 16] == guid("8B7CA206-4790-4B9A-B8FE-575F050F886E"):
                start = struct.unpack("<Q", table[at + 16:at + 24])[0]
        file.seek(start)
        items = file.read(2 << 20)
        for entry in range(struct.unpack("<H", items[10:12])[0]):
            at = 32 + 32 * entry
            if items[at:at + 16] == guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8"):
                offset = struct.unpack("<I", items[at + 16:at + 20])[0]
                size = struct.unpack("<Q", items[offset:offset + 8])[0]
    return best[1], size


def vhdx_child(parent, child, expected, seed, name=None):
    choice = random.Random(seed)
    state, size = vhdx_state(parent)
    disk, block, sector = Disk(expected), 2 << 20, 512
    count = -(-size // block)
    ratio = (sector << 23) // block
    chunks = -(-count // ratio)
    mib = 1 << 20
    entries = [0] * (chunks * (ratio + 1))
    region = -(-len(entries) * 8 // mib) * mib
    metadata = 2 * mib
    table = metadata + mib
    place = table + region
    pieces, bitmaps = [], {}
    for index in sorted(set(choice.sample(range(count), min(count, 24)) + [count - 1, min(count - 1, ratio), ratio - 1])):
        if index >= count:
            continue
        kind = choice.choice([1, 2, 3, 6, 7, 7, 7])
        slot = index + index // ratio
        if kind < 6:
            entries[slot] = kind
            disk.put(index * block, bytes(block))
            continue
        entries[slot] = kind | place
        data = bytearray(content(choice, block))
        if kind == 6:
            disk.put(index * block, bytes(data))
        else:
            bitmap = bitmaps.setdefault(index // ratio, bytearray(mib))
            first = index % ratio * (block // sector)
            share = choice.choice([0.5, 0.01, 0.99])
            for number in range(block // sector):
                if choice.random() < share:
                    bitmap[(first + number) // 8] |= 1 << (first + number) % 8
                    disk.put(index * block + number * sector, bytes(data[number * sector:(number + 1) * sector]))
        pieces.append((place, bytes(data)))
        place += block
    for chunk, bitmap in bitmaps.items():
        entries[chunk * (ratio + 1) + ratio] = 6 | place
        pieces.append((place, bytes(bitmap)))
        place += mib

    def summed(data):
        data[4:8] = struct.pack("<I", crc32c(data))
        return bytes(data)

    locator = bytearray(guid("B04AEFB7-D19E-4A81-B789-25B8E9445913") + bytes(2))
    name = name or os.path.basename(parent)
    pairs = [("parent_linkage", "{" + str(uuid.UUID(bytes_le=state)) + "}"), ("relative_path", ".\\" + name),
             ("absolute_win32_path", "C:\\machines\\" + name)]
    locator += struct.pack("<H", len(pairs))
    text, base = b"", 20 + 12 * len(pairs)
    for key, value in pairs:
        key, value = key.encode("utf-16-le"), value.encode("utf-16-le")
        locator += struct.pack("<IIHH", base + len(text), base + len(text) + len(key), len(key), len(value))
        text += key + value
    locator += text
    items = [("CAA16737-FA36-4D43-B3B6-33F0AA44E76B", struct.pack("<II", block, 2), 4),
             ("2FA54224-CD1B-4876-B211-5DBED83BF4B8", struct.pack("<Q", size), 6),
             ("BECA12AB-B2E6-4523-93EF-C309E000C746", choice.randbytes(16), 6),
             ("8141BF1D-A96F-4709-BA47-F233A8FAAB5F", struct.pack("<I", sector), 6),
             ("CDA348C7-445D-4471-9CC9-E9885251C556", struct.pack("<I", 4096), 6),
             ("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C", bytes(locator), 4)]
    meta = bytearray(b"metadata" + struct.pack("<HH", 0, len(items)) + bytes(20))
    values, offset = b"", 64 << 10
    for identifier, value, flags in items:
        meta += guid(identifier) + struct.pack("<IIII", offset + len(values), len(value), flags, 0)
        values += value
    with open(child, "wb") as file:
        file.write(b"vhdxfile" + "images.py".encode("utf-16-le"))
        for number, at in enumerate((64 << 10, 128 << 10)):
            head = bytearray(4096)
            head[0:4] = b"head"
            head[8:16] = struct.pack("<Q", 7 + number)
            head[16:48] = choice.randbytes(32)
            head[64:80] = struct.pack("<HHIQ", 0, 1, mib, mib)
            file.seek(at)
            file.write(summed(head))
        regions = bytearray(64 << 10)
        regions[0:4] = b"regi"
        regions[8:12] = struct.pack("<I", 2)
        regions[16:48] = guid("2DC27766-F623-4200-9D64-115E9BFD4A08") + struct.pack("<QII", table, region, 1)
        regions[48:80] = guid("8B7CA206-4790-4B9A-B8FE-575F050F886E") + struct.pack("<QII", metadata, mib, 1)
        regions = summed(regions)
        for at in (192 << 10, 256 << 10):
            file.seek(at)
            file.write(regions)
        file.seek(metadata)
        file.write(meta)
        file.seek(metadata + offset)
        file.write(values)
        file.seek(table)
        file.write(struct.pack(f"<{len(entries)}Q", *entries))
        for at, data in pieces:
            file.seek(at)
            file.write(data)
        file.truncate(place)


# VMware Virtual Disk Format 5.0, "ESX Server Sparse Extents", and for seSparse QEMU's block/vmdk.c.

def descriptor(path, extent, kind, sectors, parent, choice):
    lines = ["# Disk DescriptorFile", "version=1", "CID=%08x" % choice.randrange(1, 2**31)]
    if parent:
        with open(parent, errors="replace") as file:
            lines += ["parentCID=" + re.search(r"(?m)^CID=(\w+)", file.read()).group(1),
                      'parentFileNameHint="%s"' % os.path.basename(parent)]
    else:
        lines.append("parentCID=ffffffff")
    lines += ['createType="%s"' % {"VMFSSPARSE": "vmfsSparse", "SESPARSE": "seSparse"}[kind],
              'RW %d %s "%s"' % (sectors, kind, os.path.basename(extent)), 'ddb.adapterType = "lsilogic"']
    with open(path, "w") as file:
        file.write("\r\n".join(lines) + "\r\n")


def runs(choice, grains):
    """Some runs of grains, one at the very end."""
    starts = [choice.randrange(grains) for _ in range(20)] + [grains - 3]
    longest = 3 if SMALL else 400
    return sorted({grain for start in starts for grain in range(start, min(grains, start + choice.randrange(1, longest)))})


def cowd(expected, path, seed, parent=None):
    choice, disk = random.Random(seed), Disk(expected)
    sectors = disk.size // 512
    tables = -(-sectors // 4096)
    directory, place = [0] * tables, 4 + -(-tables * 4 // 512)
    chosen = runs(choice, sectors)
    table = {}
    for number in sorted({grain // 4096 for grain in chosen}):
        directory[number], table[number] = place, [0] * 4096
        place += 32
    extent = path[:-5] + "-delta.vmdk"
    with open(extent, "wb") as file:
        for grain in chosen:
            data = choice.randbytes(512)
            table[grain // 4096][grain % 4096] = place
            file.seek(place * 512)
            file.write(data)
            disk.put(grain * 512, data)
            place += 1
        for number, entries in table.items():
            file.seek(directory[number] * 512)
            file.write(struct.pack("<4096I", *entries))
        file.seek(0)
        file.write(struct.pack("<4s7I", b"COWD", 1, 3, sectors, 1, 4, tables, place).ljust(2048, b"\0"))
        file.write(struct.pack(f"<{tables}I", *directory))
    descriptor(path, extent, "VMFSSPARSE", sectors, parent, choice)


def sesparse(expected, path, seed, parent=None):
    choice, disk = random.Random(seed), Disk(expected)
    sectors = disk.size // 512
    grains = -(-sectors // 8)
    tables = -(-grains // 4096)
    volatile, start = 1, 8
    tablesat = start + -(-tables * 8 // 512)
    dataat = tablesat + 64 * (tables + 1)
    directory, table, used, number = [0] * tables, {}, 0, 0
    extent = path[:-5] + "-sesparse.vmdk"
    with open(extent, "wb") as file:
        for grain in runs(choice, grains):
            index = grain // 4096
            if index not in table:
                used += 1
                table[index], directory[index] = [0] * 4096, 0x1000000000000000 | used
            kind = choice.choice([1, 2, 3, 3, 3, 3])
            data = bytes(4096)
            if kind == 3:
                # Past the 4,096th, the number's upper part is used.
                number += choice.randrange(1, 8)
                data = content(choice, 4096)
                file.seek((dataat + number * 8) * 512)
                file.write(data)
                table[index][grain % 4096] = 3 << 60 | (number & 0xFFF) << 48 | number >> 12
            else:
                table[index][grain % 4096] = kind << 60
            disk.put(grain * 4096, data)
        for index, entries in table.items():
            file.seek((tablesat + (directory[index] & 0xFFFFFFFF) * 64) * 512)
            file.write(struct.pack("<4096Q", *entries))
        head = bytearray(512)
        struct.pack_into("<6Q", head, 0, 0xCAFEBABE, 0x200000001, sectors, 8, 64, 0)
        for at, value in ((80, volatile), (88, 1), (128, start), (136, tablesat - start), (144, tablesat),
                          (152, dataat - tablesat), (192, dataat), (200, (number + 1) * 8)):
            struct.pack_into("<Q", head, at, value)
        file.seek(0)
        file.write(head)
        file.write(struct.pack("<4Q", 0xCAFECAFE, 0, 0, 0).ljust(512, b"\0"))
        file.seek(start * 512)
        file.write(struct.pack(f"<{tables}Q", *directory))
        file.truncate((dataat + (number + 1) * 8) * 512)
    descriptor(path, extent, "SESPARSE", sectors, parent, choice)


{"vhd-child": vhd_child, "vhdx-child": vhdx_child, "cowd": cowd, "sesparse": sesparse}[sys.argv[1]](*sys.argv[2:])
