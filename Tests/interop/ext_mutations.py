"""ext_mutations.py IMAGE...: reads file systems of which structures are changed, one field at a time, and says what must not be.

Each field of the superblock, the group descriptors, the bitmaps, inodes, extents, directories and the journal gets values that
it may not like; half of the time the checksums are made to fit. Each disk must be read within seconds and in bounded memory,
and all that is not free by dumpe2fs in the unchanged image must come back as it is. The checksums are written down here a second
time, from the kernel's sources; nothing is shared with the tools.
"""
import os, random, re, resource, struct, subprocess, sys

_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ 0x82F63B78 if _n & 1 else _n >> 1
    _TABLE.append(_n)


def crc32c(value, data):
    for byte in data:
        value = _TABLE[(value ^ byte) & 255] ^ value >> 8
    return value


def crc16(value, data):
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


class System:
    """A file system in memory whose checksums can be made to fit again."""

    def __init__(self, data):
        self.data = bytearray(data)
        u32 = lambda place: struct.unpack_from("<I", data, 1024 + place)[0]
        self.block = 1024 << u32(0x18)
        self.first, self.total, self.per_group = u32(0x14), u32(4), u32(0x20)
        self.inodes_per_group, self.inode_size = u32(0x28), struct.unpack_from("<H", data, 1024 + 0x58)[0]
        self.features = u32(0x60), u32(0x64)
        wide = self.features[0] & 0x80
        self.descriptor = struct.unpack_from("<H", data, 1024 + 0xFE)[0] if wide else 32
        self.groups = -(-(self.total - self.first) // self.per_group)
        self.table = (self.first + 1) * self.block
        self.uuid = bytes(data[1024 + 0x68:1024 + 0x78])
        self.seed = crc32c(0xFFFFFFFF, self.uuid)
        self.bitmaps, self.tables = [], []
        for group in range(self.groups):
            bitmap, _, table = struct.unpack_from("<III", data, self.table + group * self.descriptor)
            self.bitmaps.append(bitmap * self.block)
            self.tables.append(table * self.block)

    def inode(self, number):
        group, index = divmod(number - 1, self.inodes_per_group)
        return self.tables[group] + index * self.inode_size

    def seal(self):
        """Makes the checksums of superblock, descriptors, bitmaps and the inodes in use fit."""
        data = self.data
        summed, sealed = self.features[1] & 0x400, self.features[1] & 0x10
        if summed:
            for number in list(range(1, 20)):
                place = self.inode(number)
                raw = bytearray(data[place:place + self.inode_size])
                if not any(raw):
                    continue
                raw[0x7C:0x7E] = bytes(2)
                extra = self.inode_size > 128 and struct.unpack_from("<H", raw, 0x80)[0] >= 4
                if extra:
                    raw[0x82:0x84] = bytes(2)
                value = crc32c(crc32c(self.seed, struct.pack("<I", number)), raw[0x64:0x68])
                value = crc32c(value, raw)
                struct.pack_into("<H", data, place + 0x7C, value & 0xFFFF)
                if extra:
                    struct.pack_into("<H", data, place + 0x82, value >> 16)
        for group in range(self.groups):
            place = self.table + group * self.descriptor
            number = struct.pack("<I", group)
            if summed:
                value = crc32c(self.seed, data[self.bitmaps[group]:self.bitmaps[group] + self.per_group // 8])
                struct.pack_into("<H", data, place + 0x18, value & 0xFFFF)
                if self.descriptor >= 64:
                    struct.pack_into("<H", data, place + 0x38, value >> 16)
                raw = data[place:place + self.descriptor]
                raw[0x1E:0x20] = bytes(2)
                struct.pack_into("<H", data, place + 0x1E, crc32c(crc32c(self.seed, number), raw) & 0xFFFF)
            elif sealed:
                raw = data[place:place + self.descriptor]
                value = crc16(crc16(crc16(0xFFFF, self.uuid), number), raw[:0x1E])
                struct.pack_into("<H", data, place + 0x1E, value)
        if summed:
            struct.pack_into("<I", data, 1024 + 0x3FC, crc32c(0xFFFFFFFF, data[1024:1024 + 0x3FC]))


def free_ranges(name):
    """What dumpe2fs calls free, in bytes."""
    text = subprocess.run(["dumpe2fs", name], capture_output=True, text=True).stdout
    size, ranges = 0, []
    for line in text.splitlines():
        if line.startswith("Block size:"):
            size = int(line.split(":")[1])
        if line.startswith("  Free blocks:"):
            for start, end in re.findall(r"(\d+)(?:-(\d+))?", line.split(":")[1]):
                ranges.append((int(start) * size, (int(end or start) + 1) * size))
    return sorted(ranges)


def used_ranges(free, size):
    position = 0
    for start, end in free:
        if start > position:
            yield position, start
        position = max(position, end)
    if position < size:
        yield position, size


def read(name, data, used, what):
    with open("changed.img", "wb") as file:
        file.write(data)

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    for options in (["--raw", "--skip", "zero,free,swap"], ["--list", "--skip", "free", "--exclude", "/**"]):
        result = subprocess.run(["vread", *options, "changed.img"], capture_output=True, preexec_fn=limit, timeout=120)
        if result.returncode != 0:
            sys.exit(f"{name}: {what}: status {result.returncode}: {result.stderr[:500]!r}")
        if options[0] == "--raw":
            copy = result.stdout
            if len(copy) != len(data) or any(copy[a:b] != data[a:b] for a, b in used):
                sys.exit(f"{name}: {what}: something that was in use is skipped")
            skipped = copy != data or b"read whole" not in result.stderr
    return skipped


def places(system):
    """(name, place, width) of what is worth changing."""
    data, block = system.data, system.block
    for place in range(0, 0x90, 2):
        yield f"superblock {place:#x}", 1024 + place, 2
    for place in (0xCE, 0xE0, 0xE4, 0xE8, 0xFE, 0x104, 0x150, 0x158, 0x166, 0x168, 0x174, 0x175, 0x24C, 0x250, 0x270, 0x3FC):
        yield f"superblock {place:#x}", 1024 + place, 2
    for group in range(system.groups):
        for place in range(0, system.descriptor, 2):
            yield f"descriptor {group} {place:#x}", system.table + group * system.descriptor + place, 2
        for place in random_choice.sample(range(system.per_group // 8), 20):
            yield f"bitmap {group} {place:#x}", system.bitmaps[group] + place, 1
    blocks = set()
    for number in [2, 8] + list(range(11, 19)):
        inode = system.inode(number)
        for place in list(range(0, 0x84, 2)):
            yield f"inode {number} {place:#x}", inode + place, 2
        for word in struct.unpack_from("<15I", data, inode + 0x28):
            if 0 < word < system.total:
                blocks.add(word)
    for number in sorted(blocks):
        for place in list(range(0, 64, 2)) + random_choice.sample(range(64, block - 2), 6):
            yield f"block {number} {place:#x}", number * block + place, 2


random_choice = random.Random(int(os.environ.get("VPIPE_SEED", "1")))
share = 1.0 if os.environ.get("VPIPE_ALL") == "1" else 0.006
for name in sys.argv[1:]:
    original = open(name, "rb").read()
    used = list(used_ranges(free_ranges(name), len(original)))
    if not read(name, original, used, "unchanged"):
        sys.exit(f"{name}: nothing of the unchanged file system is skipped")
    count = skipped = 0
    summed = System(original).features[1] & 0x400
    for what, place, width in list(places(System(original))):
        for kind in ("zero", "ones", "more", "less", "random"):
            if random_choice.random() >= share:
                continue
            system = System(original)
            old = int.from_bytes(original[place:place + width], "little")
            limit = (1 << 8 * width) - 1
            new = {"zero": 0, "ones": limit, "more": old + 1 & limit, "less": old - 1 & limit,
                   "random": random_choice.randint(0, limit)}[kind]
            system.data[place:place + width] = new.to_bytes(width, "little")
            fits = random_choice.random() < 0.5
            if fits:
                system.seal()
            own = used
            if what.startswith("bitmap"):
                # A bitmap that is whole may say what it likes, of the blocks that it is about.
                group = int(what.split()[1])
                start = (system.first + group * system.per_group) * system.block
                end = start + system.per_group * system.block
                own = [(a, b) for a, b in used if b <= start or a >= end] if fits or not summed else used
            skipped += read(name, bytes(system.data), own, f"{what} {old:#x} -> {new:#x}{', sealed' if fits else ''}")
            count += 1
    for place in random_choice.sample(range(1, len(original)), int(40 * share) + 2):
        cut = original[:place // 512 * 512]
        read(name, cut, [(a, min(b, len(cut))) for a, b in used if a < len(cut)], f"cut at {place}")
        count += 1
    print(f"{name}: {count} changes, something is skipped after {skipped} of them")
