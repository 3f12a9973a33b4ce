"""Reads a VHD of any kind, written from the format's specification 1.0 alone: the judge of differencing disks.

    vhd_read.py IMAGE [OUT.raw]

The bitmaps of a differencing disk decide sector by sector; its parent is looked for by the relative path (W2ru), and must
bear the identifier that the child names, which other tools do not all look at. Checksums, the footer's copy, places and
overlaps are checked in each file. Prints "SIZE TYPE SECTORS" for each file of the chain, the child's first: how many
sectors its bitmaps have. With OUT.raw writes the disk there.
"""
import os
import struct
import sys


def checksum(data, at):
    return ~(sum(data) - sum(data[at:at + 4])) & 0xFFFFFFFF


class Image:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "rb")
        length = os.path.getsize(path)
        footer = self.read(length - 512, 512)
        assert footer[:8] == b"conectix" and struct.unpack_from(">I", footer, 64)[0] == checksum(footer, 64)
        place, = struct.unpack_from(">Q", footer, 16)
        self.size, = struct.unpack_from(">Q", footer, 48)
        self.kind, = struct.unpack_from(">I", footer, 60)
        self.identifier, self.parent, self.sectors = footer[68:84], None, 0
        assert self.kind in (2, 3, 4) and self.size % 512 == 0
        if self.kind == 2:
            assert place == 2 ** 64 - 1 and length == self.size + 512
            return
        assert self.read(0, 512) == footer
        header = self.read(place, 1024)
        assert header[:8] == b"cxsparse" and struct.unpack_from(">I", header, 36)[0] == checksum(header, 36)
        table, version, count, self.block = struct.unpack_from(">QIII", header, 16)
        assert version == 0x10000 and count >= -(-self.size // self.block)
        self.bitmap = -(-self.block // 4096 // 512) * 512
        taken = [(0, 512), (place, 1024), (table, -(-count * 4 // 512) * 512), (length - 512, 512)]
        if self.kind == 4:
            self.parent = self.open_parent(header, taken)
        self.places = {}
        for number, entry in enumerate(struct.unpack(">%dI" % count, self.read(table, count * 4))):
            if entry == 0xFFFFFFFF:
                continue
            assert (number * self.block) < self.size
            bits = self.read(entry * 512, self.bitmap)
            self.places[number] = entry * 512 + self.bitmap, bits
            self.sectors += sum(bin(byte).count("1") for byte in bits)
            # A sector beyond the disk's end is nobody's.
            for sector in range(min(self.block, self.size - number * self.block) // 512, self.block // 512):
                assert self.kind == 3 or not bits[sector // 8] & 0x80 >> sector % 8
            taken.append((entry * 512, self.bitmap + self.block))
        taken.sort()
        for (start, count), (following, _) in zip(taken, taken[1:]):
            assert start + count <= following, "parts lie on top of each other"

    def read(self, offset, count):
        self.file.seek(offset)
        data = self.file.read(count)
        assert len(data) == count, (self.path, offset, count)
        return data

    def open_parent(self, header, taken):
        names = []
        for index in range(8):
            code, space, count, reserved, offset = struct.unpack_from(">4sIIIQ", header, 576 + 24 * index)
            if code == bytes(4):
                continue
            assert reserved == 0 and count <= space and offset % 512 == 0
            taken.append((offset, space))
            text = self.read(offset, count)
            if code == b"W2ru":
                names.insert(0, text.decode("utf-16-le").replace("\\", "/"))
            else:
                assert code == b"MacX" and text.startswith(b"file://")
                names.append(text.decode()[7:])
        assert len(names) == 2 and names[0] == names[1]
        folder = os.path.dirname(os.path.abspath(self.path))
        parent = Image(os.path.join(folder, names[0]))
        name = header[64:576].decode("utf-16-be").rstrip("\0")
        assert name == os.path.basename(parent.path), name
        assert parent.identifier == header[40:56], "another parent"
        stamp, = struct.unpack_from(">I", header, 56)
        assert stamp == int(os.stat(parent.path).st_mtime) - 946684800
        assert parent.size == self.size
        return parent

    def sector_runs(self, offset, count):
        """Parts of a range of the disk, each with its place in this file, or None."""
        end = offset + count
        while offset < end:
            number, inner = divmod(offset, self.block)
            stop = min(end, (number + 1) * self.block)
            if number not in self.places:
                yield offset, stop, None
                offset = stop
                continue
            place, bits = self.places[number]
            here = lambda sector: bits[sector // 8] & 0x80 >> sector % 8 != 0
            first, last = inner // 512, inner // 512 + 1
            while last * 512 < stop - number * self.block and here(last) == here(first):
                last += 1
            stop = number * self.block + last * 512
            yield offset, stop, place + inner if here(first) else None
            offset = stop

    def content(self, offset, count):
        if self.kind == 2:
            return self.read(offset, count)
        result = b""
        for start, end, place in self.sector_runs(offset, count):
            if place is not None:
                result += self.read(place, end - start)
            elif self.parent:
                result += self.parent.content(start, end - start)
            else:
                result += bytes(end - start)
        return result


image = Image(sys.argv[1])
if len(sys.argv) > 2:
    with open(sys.argv[2], "wb") as out:
        out.truncate(image.size)
        for offset in range(0, image.size, 1 << 20):
            piece = image.content(offset, min(1 << 20, image.size - offset))
            if any(piece):
                out.seek(offset)
                out.write(piece)
while image:
    print(image.size, {2: "fixed", 3: "dynamic", 4: "differencing"}[image.kind], image.sectors)
    image = image.parent
