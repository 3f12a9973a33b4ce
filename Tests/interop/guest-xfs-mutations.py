#!/usr/bin/env python3
"""Changes the structures of XFS images in place, one at a time, and asks vread what is free and which files there are.

    guest-xfs-mutations.py SEED COUNT IMAGE...

Every field gets 0, all ones, one more, one less, a random value; blocks are cleared, copied over others and cut off. Half
of the times checksums are made right again. vread has to end well, in time and memory, and to skip no more of the image
than of the whole one, but for what a right checksum vouches for: then the sum of what is free still has to fit the
counters, which are compared with the unchanged ones.
"""

import json
import random
import resource
import struct
import subprocess
import sys

TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


class Image:
    def __init__(self, name):
        self.name = name
        self.file = open(name, "r+b")
        head = self.read(0, 264)
        self.block, self.blocks = struct.unpack(">IQ", head[4:16])
        self.log, self.root = struct.unpack(">QQ", head[48:64])
        self.group, self.groups = struct.unpack(">II", head[84:92])
        self.version, self.sector, self.inode = struct.unpack(">HHH", head[100:106])
        self.version &= 15
        self.inodes_log, self.group_log = head[123], head[124]
        self.size = self.block * self.blocks

    def read(self, place, count):
        self.file.seek(place)
        return self.file.read(count)

    def write(self, place, data):
        self.file.seek(place)
        self.file.write(data)
        self.file.flush()

    def mend(self, place, count, field):
        if self.version < 5 or field is None:
            return
        data = bytearray(self.read(place, count))
        data[field:field + 4] = bytes(4)
        self.write(place + field, struct.pack("<I", crc(data)))

    def structures(self):
        """Place, length, where the checksum is, and the fields that matter, as (offset, bytes)."""
        block, sector = self.block, self.sector
        fields = [(4, 4), (8, 8), (16, 8), (32, 8), (48, 8), (56, 8), (84, 4), (88, 4), (96, 4), (100, 2), (102, 2),
                  (104, 2), (106, 2), (144, 8), (200, 4), (208, 4), (212, 4), (216, 4), (220, 4), (248, 8)]
        yield 0, sector, 224, fields + [(offset, 1) for offset in range(120, 128)] + [(192, 1)]
        head = 52 if self.version == 5 else 16
        start = 56 if self.version == 5 else 16
        for group in range(self.groups):
            base = group * self.group * block
            yield base + sector, sector, 216, [(offset, 4) for offset in range(0, 96, 4)]
            yield base + 2 * sector, sector, 312, [(offset, 4) for offset in (*range(0, 40, 4), 328, 332)]
            yield base + 3 * sector, sector, 32, [(offset, 4) for offset in range(0, 64, 4)]
            header = self.read(base + sector, 64)
            inodes = self.read(base + 2 * sector, 64)
            roots = struct.unpack(">III", header[16:28])[:3 if self.version == 5 else 2] + struct.unpack(">I", inodes[20:24])
            for root in roots:
                yield (base + root * block, block, head,
                       [(0, 4), (4, 2), (6, 2), (8, 4), (12, 4)] + [(start + offset, 4) for offset in range(0, 64, 4)]
                       + [(start + (block - start) // 12 * 8 + offset, 4) for offset in (0, 4, 8)])
        for number in (0, 3, 4, 5, 6, 7, 8):
            yield (*self.inode_of(self.root + number), 100,
                   [(2, 2), (4, 1), (5, 1), (16, 4), (24, 8), (56, 8), (64, 8), (76, 4), (80, 2), (82, 1), (83, 1), (90, 2),
                    (120, 8)] + [(176 + offset, 4) for offset in range(0, 120, 4)])
        log = (self.log >> self.group_log) * self.group * block + (self.log & (1 << self.group_log) - 1) * block
        for record in self.records(log):
            yield record, 512, None, [(offset, 4) for offset in (*range(0, 60, 4), 300, 304, 320)]
            yield record + 512, 512, None, [(offset, 4) for offset in range(0, 80, 4)]

    def inode_of(self, number):
        inside = number & (1 << self.group_log + self.inodes_log) - 1
        group = number >> self.group_log + self.inodes_log
        place = (group * self.group + (inside >> self.inodes_log)) * self.block
        return place + (inside & (1 << self.inodes_log) - 1) * self.inode, self.inode

    def records(self, log):
        """The last records of the log, and its first."""
        found = [log + block * 512 for block in range(0, 20000)
                 if self.read(log + block * 512, 4) == b"\xfe\xed\xba\xbe"]
        return found[:1] + found[-6:]


def ask(name):
    """Bytes that are free, or None when vread reads it whole."""
    command = ["vread", "--list", "--json", "--skip", "zero,free,swap", "--exclude", "/odd/**", name]
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    run = subprocess.run(command, capture_output=True, timeout=60, preexec_fn=limit)
    if run.returncode not in (0, 1, 65):
        sys.exit(f"status {run.returncode}: {run.stderr.decode()[:500]}")
    if run.returncode != 0:
        return 0
    return json.loads(run.stdout)["volumes"][0]["bytes"].get("free", 0)


def main():
    dice = random.Random(sys.argv[1])
    count = int(sys.argv[2])
    for name in sys.argv[3:]:
        image = Image(name)
        whole = ask(name)
        if whole == 0 and name != "old":
            sys.exit(f"{name}: nothing is free at all")
        structures = list(image.structures())
        tally = {"same": 0, "less": 0, "none": 0}
        for _ in range(count):
            place, length, field, fields = dice.choice(structures)
            before = image.read(place, length)
            data = bytearray(before)
            act = dice.randrange(12)
            if act == 0:
                data = bytearray(length)
            elif act == 1:
                other = dice.choice(structures)
                data = bytearray((image.read(other[0], other[1]) + bytes(length))[:length])
            elif act == 2:
                data[dice.randrange(length)] ^= 1 << dice.randrange(8)
            else:
                for _ in range(dice.choice((1, 1, 2))):
                    offset, size = dice.choice(fields)
                    if offset + size > length:
                        continue
                    old = int.from_bytes(data[offset:offset + size], "big")
                    top = (1 << size * 8) - 1
                    new = dice.choice((0, top, old + 1 & top, old - 1 & top, dice.randrange(top + 1), old ^ 1 << dice.randrange(size * 8)))
                    data[offset:offset + size] = new.to_bytes(size, "big")
            image.write(place, bytes(data))
            mended = dice.randrange(2) == 0
            if mended:
                image.mend(place, length, field)
            try:
                free = ask(name)
            except subprocess.TimeoutExpired:
                sys.exit(f"{name}: it hangs with {data.hex()} at {place}")
            tally["none" if free == 0 else "same" if free == whole else "less"] += 1
            if free > whole:
                sys.exit(f"{name}: {free} bytes are free, not {whole}, with other bytes at {place}: {data.hex()}")
            image.write(place, before)
        if ask(name) != whole:
            sys.exit(f"{name}: it is not as it was")
        print(f"{name}: {count} changes, free space the same {tally['same']}, less {tally['less']}, read whole {tally['none']}")


main()
