"""Writes a streamOptimized VMDK with markers, as whoever writes into a pipe has to: tables follow their grains.

    vmdkstream.py RAW OUT [OPTION...]

  --tables after   each grain table follows its grains (the default)
           late    all tables follow all grains
  --order ascending, inside (shuffled inside each table), tables (the first table's area at the end) or
          anywhere (all grains shuffled; with --tables late)
  --grain SECTORS  of a grain (128)
  --defect NAME    one of DEFECTS: something that no honest writer does
  --name NAME      of the extent in the descriptor

Written from the layout in VMware's Virtual Disk Format 5.0, and shares nothing with the reader under test.
"""
import argparse
import random
import struct
import zlib

DEFECTS = """twice beyond unaligned lost orphan no-footer no-end no-directory behind swapped-table wrong-directory
other-capacity damaged short early-end missing-table second-directory huge-grain kind""".split()

parser = argparse.ArgumentParser()
parser.add_argument("raw")
parser.add_argument("out")
parser.add_argument("--tables", default="after")
parser.add_argument("--order", default="ascending")
parser.add_argument("--grain", type=int, default=128)
parser.add_argument("--defect", choices=DEFECTS)
parser.add_argument("--name", default="disk.vmdk")
options = parser.parse_args()
defect = options.defect

SECTOR, ENTRIES, OVERHEAD = 512, 512, 128
step = options.grain * SECTOR
choice = random.Random(1)

raw = open(options.raw, "rb")
size = raw.seek(0, 2)
sectors = size // SECTOR
capacity = -(-sectors // options.grain) * options.grain
grain_count = capacity // options.grain
table_count = -(-grain_count // ENTRIES)

descriptor = f"""# Disk DescriptorFile
version=1
CID=a1b2c3d4
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW {sectors} SPARSE "{options.name}"

# The Disk Data Base
ddb.adapterType = "lsilogic"
ddb.virtualHWVersion = "4"
""".encode()


def header(directory, capacity=capacity):
    return struct.pack("<4sIIQQQQIQQQB4sH433x", b"KDMV", 3, 0x30001, capacity, options.grain, 1, 20, ENTRIES, 0,
                       directory, OVERHEAD, 0, b"\n \r\n", 1)


out = open(options.out, "wb")


def put(data):
    out.write(data)
    out.write(b"\0" * (-len(data) % SECTOR))


def sector():
    return out.tell() // SECTOR


def marker(value, kind):
    put(struct.pack("<QII", value, 0, kind))


put(header(2**64 - 1))
out.write(descriptor.ljust(20 * SECTOR, b"\0"))
out.write(b"\0" * (OVERHEAD * SECTOR - out.tell()))

areas = {}
for index in range(grain_count):
    raw.seek(index * step)
    data = raw.read(step)
    if data.count(0) != len(data):
        areas.setdefault(index // ENTRIES, []).append(index)

if options.order == "inside":
    for grains in areas.values():
        choice.shuffle(grains)
order = list(areas)
if options.order == "tables":
    order = order[1:] + order[:1]

places, table_places = {}, {}


def grain(index, at=None):
    places[index] = sector()
    raw.seek(index * step)
    data = raw.read(step).ljust(step, b"\0")
    if defect == "short" and index == victim:
        data = data[:-SECTOR]
    # What does not get shorter is stored at once, as zlib would do in the end.
    is_noise = len(zlib.compress(data[:1024], 1)) > 1000
    packed = bytearray(zlib.compress(data, 0 if is_noise else 1))
    if defect == "damaged" and index == victim:
        packed[len(packed) // 2] ^= 0xFF
    lba = index * options.grain if at is None else at
    length = 3 * step if defect == "huge-grain" and index == victim else len(packed)
    put(struct.pack("<QI", lba, length) + bytes(packed))


def table(number):
    entries = [places.get(number * ENTRIES + slot, 0) for slot in range(ENTRIES)]
    if defect == "swapped-table" and number == order[0]:
        used = [slot for slot, entry in enumerate(entries) if entry]
        entries[used[0]], entries[used[1]] = entries[used[1]], entries[used[0]]
    if defect == "orphan" and number == order[0]:
        entries[max(slot for slot, entry in enumerate(entries) if entry)] = 0
    if defect == "missing-table" and number == order[0]:
        return
    marker(4, 1)
    table_places[number] = sector()
    put(struct.pack(f"<{ENTRIES}I", *entries))


every = [index for number in order for index in areas[number]]
victim = every[len(every) // 2] if every else None
if options.order == "anywhere":
    choice.shuffle(every)
for index in every:
    if defect == "lost" and index == victim:
        places[index] = sector()
        continue
    if defect == "early-end" and index == victim:
        marker(0, 0)
    if defect == "kind" and index == victim:
        marker(1, 77)
        put(b"x")
    grain(index)
    if defect == "twice" and index == victim:
        grain(index)
    if defect == "beyond" and index == victim:
        first = places[index]
        grain(index, capacity + options.grain)
        places[index] = first
    if defect == "unaligned" and index == victim:
        first = places[index]
        grain(index, index * options.grain + 1)
        places[index] = first
    number = index // ENTRIES
    if options.tables == "after" and index == areas[number][-1]:
        table(number)
if options.tables == "late":
    for number in order:
        table(number)

directory = 0
for _ in range(0 if defect == "no-directory" else 2 if defect == "second-directory" else 1):
    entries = [table_places.get(number, 0) for number in range(table_count)]
    if defect == "wrong-directory":
        entries[order[0]] += 1
    packed = struct.pack(f"<{table_count}I", *entries)
    marker(-(-len(packed) // SECTOR), 2)
    directory = sector()
    put(packed)
if defect != "no-footer":
    marker(1, 3)
    put(header(directory, capacity + options.grain if defect == "other-capacity" else capacity))
if defect != "no-end":
    marker(0, 0)
if defect == "behind":
    put(b"something")
