#!/usr/bin/env python3
"""Restores a volume, written from docs/repository-format.md alone: restore.py REPO POINT [VOLUME] >disk
POINT is a machine's name (its newest point) or the start of a point's id. It reads no index.
It needs nothing but Python 3 and the program zstd."""
import functools, hashlib, json, os, struct, subprocess, sys

SEGMENT = 4 << 20
chunks = {}

def checked(content, digest, what):
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit(f"{what}: its content does not fit its name")
    return content

def read_directory(path):
    with open(path, "rb") as pack:
        pack.seek(-64, os.SEEK_END)
        magic, offset, count = struct.unpack("<8sQQ", pack.read(64)[:24])
        if magic != b"VPACKEND":
            sys.exit(f"{path}: not a whole pack")
        pack.seek(offset)
        for row in struct.iter_unpack("<32sIIIBBHQIIQ", pack.read(count * 72)):
            chunks[row[0]] = (path, *row[1:4], row[5], row[9])

@functools.lru_cache(4)
def frame(path, offset, stored, codec):
    with open(path, "rb") as pack:
        pack.seek(offset)
        content = pack.read(stored)
    return subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE).stdout if codec == 1 else content

def chunk(id_):
    path, offset, stored, plain, codec, start = chunks[id_]
    return checked(frame(path, offset, stored, codec)[start:start + plain], id_.hex(), f"chunk {id_.hex()}")

def restore(node, level, size, write):
    """Writes the `size` bytes below an inner node, or those of a leaf, which has level 0."""
    at = 8
    while size > 0:
        if level == 0:
            here, content = struct.unpack_from("<IB", node, at)
        else:
            here, content = min(1024 ** (level - 1) * SEGMENT, size), node[at]
        below = chunk(node[at + 8:at + 40]) if content == 0 else None
        if content == 0 and level > 0:
            restore(below, level - 1, here, write)
        else:
            for piece in range(0, here, SEGMENT):
                write(below or bytes(min(SEGMENT, here - piece)))
        at += 56 if level > 0 else 40 if content == 0 else 8
        size -= here

def main(repo, wanted, volume=None):
    for name in sorted(os.listdir(f"{repo}/points")):
        with open(f"{repo}/points/{name}", "rb") as file:
            point = json.loads(checked(file.read(), name.split("-")[1], name)[16:])
        if point["name"] == wanted or len(wanted) > 3 and name.split("-")[1].startswith(wanted):
            disk = next(v for v in point["volumes"] if volume in (None, v["name"]))
    for folder, _, names in os.walk(f"{repo}/packs"):
        for name in names:
            read_directory(f"{folder}/{name}")
    # As if the root were the only child of a node above it.
    top = bytes(8) + (bytes(8) + bytes.fromhex(disk["root"]) if "root" in disk else b"\1")
    restore(top, disk["levels"] + 1, disk["size"], sys.stdout.buffer.write)

main(*sys.argv[1:])
