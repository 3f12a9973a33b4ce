#!/usr/bin/env python3
"""Restores a volume of a point, written from docs/repository-format.md alone: restore.py REPO POINT [VOLUME] >disk

POINT is a machine's name (its newest point) or the beginning of a point's id; VOLUME a name, else the first. It reads packs
and points, no index. It needs Python 3 and its zstandard module, or else the program zstd."""
import hashlib, json, os, struct, subprocess, sys

SEGMENT = 4 << 20


def decompress(stored, size):
    try:
        import zstandard
        return zstandard.ZstdDecompressor().decompress(stored, max_output_size=size)
    except ImportError:
        return subprocess.run(["zstd", "-dc"], input=stored, stdout=subprocess.PIPE, check=True).stdout


def checked(bytes_, digest, what):
    if hashlib.sha256(bytes_).hexdigest() != digest:
        sys.exit(f"{what}: its content does not fit its name")
    return bytes_


def directories(repo):
    chunks = {}
    for folder, _, names in os.walk(os.path.join(repo, "packs")):
        for path in (os.path.join(folder, name) for name in names):
            with open(path, "rb") as pack:
                pack.seek(-64, os.SEEK_END)
                magic, offset, count = struct.unpack("<8sQQ", pack.read(64)[:24])
                if magic != b"VPACKEND":
                    sys.exit(f"{path}: not a whole pack")
                pack.seek(offset)
                for row in struct.iter_unpack("<32sIIIBBHQIIQ", pack.read(count * 72)):
                    chunks[row[0]] = (path, *row[1:4], row[5], *row[8:10])
    return chunks


def chunk(chunks, id_):
    path, offset, stored, plain, codec, frame, start = chunks[id_]
    with open(path, "rb") as pack:
        pack.seek(offset)
        content = pack.read(stored)
    content = decompress(content, frame) if codec == 1 else content
    return checked(content[start:start + plain], id_.hex(), f"chunk {id_.hex()}")


def segments(chunks, id_, level, count):
    """Yields (number of segments, leaf or None for holes) for the `count` segments below a node."""
    node, below = chunk(chunks, id_), 1024 ** (level - 1)
    for at in range(8, len(node), 56):
        here = min(below, count)
        count -= here
        if node[at] != 0:
            yield here, None
        elif level == 1:
            yield 1, chunk(chunks, node[at + 8:at + 40])
        else:
            yield from segments(chunks, node[at + 8:at + 40], level - 1, here)


def leaf(chunks, node):
    at = 8
    for _ in range(struct.unpack_from("<I", node, 4)[0]):
        length, content = struct.unpack_from("<IB", node, at)
        yield length, chunk(chunks, node[at + 8:at + 40]) if content == 0 else None
        at += 40 if content == 0 else 8


def main(repo, wanted, volume=None):
    found = None
    for name in sorted(os.listdir(os.path.join(repo, "points"))):
        with open(os.path.join(repo, "points", name), "rb") as file:
            bytes_ = checked(file.read(), name.split("-")[1], name)
        point = json.loads(bytes_[16:])
        if point["name"] == wanted or len(wanted) > 3 and name.split("-")[1].startswith(wanted):
            found = point
    if not found:
        sys.exit(f"{wanted}: no such point")
    disk = next(v for v in found["volumes"] if volume in (None, v["name"]))
    chunks, position, out = directories(repo), 0, sys.stdout.buffer
    total = -(-disk["size"] // SEGMENT)
    parts = segments(chunks, bytes.fromhex(disk["root"]), disk["levels"], total) if "root" in disk else [(total, None)]
    for count, node in parts:
        end = min(position + count * SEGMENT, disk["size"])
        for length, content in leaf(chunks, node) if node else [(end - position, None)]:
            for piece in range(0, length, SEGMENT) if content is None else [0]:
                out.write(bytes(min(SEGMENT, length - piece)) if content is None else content)
        position = end


main(*sys.argv[1:])
