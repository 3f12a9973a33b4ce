#!/usr/bin/env python3
"""Fills a mounted file system with real files and ages it until its free space is in many pieces.

    age.py FOLDER MEBIBYTES [SEED]

Real files are copied, every second one is deleted again and others are written into the gaps, a few blocks at a
time and to several files at once; a large file of random bytes is written and deleted, so that what is free does not
read as zero. What only some file systems know (attributes, shared extents, devices) is done where it works.
"""

import ctypes
import os
import random
import stat
import sys

FICLONE = 0x40049409


def real_files(limit):
    """Real files of up to 256 KiB, the same ones each time, of `limit` bytes together."""
    total = 0
    for root in ("/usr/share", "/usr/lib", "/etc"):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    status = os.lstat(path)
                    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size < 256 << 10:
                        continue
                    with open(path, "rb") as file:
                        content = file.read()
                except OSError:
                    continue
                yield path, content
                total += len(content)
                if total > limit / 3 and root == "/usr/share" or total > limit * 2 / 3 and root == "/usr/lib":
                    break
                if total > limit:
                    return
            else:
                continue
            break


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def attempt(what, *arguments):
    """Does what not every file system, kernel or user can."""
    try:
        what(*arguments)
    except OSError:
        pass


def fill(top, limit, dice):
    """Copies real files, and overwrites gaps left by deleting every second one."""
    kept = []
    for number, (path, content) in enumerate(real_files(limit)):
        folder = os.path.join(top, "copies", *os.path.dirname(path).split("/")[1:])
        os.makedirs(folder, exist_ok=True)
        copy = os.path.join(folder, os.path.basename(path))
        write(copy, content)
        kept.append(copy)
    os.sync()
    for copy in kept[::2]:
        os.unlink(copy)
    os.sync()
    return kept[1::2]


def churn(top, limit, dice):
    """Appends to several files in turn, so that each is in many pieces."""
    os.makedirs(os.path.join(top, "pieces"), exist_ok=True)
    files = [open(os.path.join(top, "pieces", f"file-{number}"), "ab") for number in range(12)]
    for _ in range(limit // (12 * 4096 * 3)):
        for file in files:
            file.write(dice.randbytes(4096 * dice.randrange(1, 6)))
            file.flush()
            os.fdatasync(file.fileno()) if dice.randrange(12) == 0 else None
    for file in files:
        file.close()
    os.sync()
    os.unlink(os.path.join(top, "pieces", "file-0"))
    os.unlink(os.path.join(top, "pieces", "file-7"))


def litter(top, limit):
    """Leaves random bytes in what is free then."""
    name = os.path.join(top, "litter")
    room = os.statvfs(top)
    with open(name, "wb") as file:
        left = min(limit, room.f_bavail * room.f_frsize // 2)
        while left > 0:
            file.write(os.urandom(min(left, 1 << 20)))
            left -= 1 << 20
        file.flush()
        os.fsync(file.fileno())
    os.unlink(name)


def oddities(top, dice):
    """Everything else that a file can be."""
    folder = os.path.join(top, "odd")
    os.makedirs(folder)
    def at(name):
        return os.path.join(folder, name)
    write(at("empty"), b"")
    write(at("one"), b"1")
    with open(at("sparse"), "wb") as file:
        for place in (0, 1 << 20, 5 << 20, (9 << 20) + 17):
            file.seek(place)
            file.write(dice.randbytes(5000))
        file.truncate(20 << 20)
    with open(at("reserved"), "wb") as file:
        file.write(dice.randbytes(10000))
        attempt(os.posix_fallocate, file.fileno(), 0, 1 << 20)
        file.seek(600000)
        file.write(dice.randbytes(3000))
    attempt(os.link, at("one"), at("linked"))
    attempt(os.symlink, "one", at("short"))
    attempt(os.symlink, "/".join(f"quite a long name {number}" for number in range(40)), at("long"))
    attempt(os.mkfifo, at("fifo"))
    attempt(os.mknod, at("device"), 0o600 | stat.S_IFBLK, os.makedev(259, 1234))
    many = at("many")
    os.makedirs(many)
    for number in range(3000):
        write(os.path.join(many, f"{'x' * (number % 97)}-{number}"), b"%d" % number)
    for number in range(0, 3000, 3):
        os.unlink(os.path.join(many, f"{'x' * (number % 97)}-{number}"))
    few = at("few")
    os.makedirs(few)
    for number in range(40):
        write(os.path.join(few, f"name number {number} of a directory in one block"), b"")
    deep = folder
    for number in range(40):
        deep = os.path.join(deep, f"level {number}")
        os.mkdir(deep)
    write(os.path.join(deep, "bottom"), b"found")
    for times in ((0, 0), (-1_000_000_000, 123456789), (4_000_000_000, 999999999)):
        name = at(f"time {times[0]}")
        write(name, b"")
        nanoseconds = times[0] * 10**9 + times[1]
        attempt(lambda: os.utime(name, ns=(nanoseconds, nanoseconds)))
    attributes(at, dice)
    shared(at, dice)


def attributes(at, dice):
    for name, values in (("little", (3,)), ("some", (5, 100, 200, 150)), ("large", (9, 9000, 60000)),
                         ("crowd", tuple(dice.randrange(1, 300) for _ in range(400)))):
        write(at(name), b"has attributes")
        for number, size in enumerate(values):
            attempt(os.setxattr, at(name), f"user.{name}-{number}", dice.randbytes(size))
    attempt(os.setxattr, at("some"), "trusted.some", b"trusted")
    attempt(os.setxattr, at("some"), "security.some", b"secure")
    # user:: rw-, user:1000 rwx, group:: r--, mask rwx, other r--
    entries = ((1, 6, -1), (2, 7, 1000), (4, 4, -1), (16, 7, -1), (32, 4, -1))
    value = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + (owner & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, owner in entries)
    attempt(os.setxattr, at("some"), "system.posix_acl_access", value)


def shared(at, dice):
    """Two files with the same extents."""
    write(at("original"), dice.randbytes(300000))
    with open(at("original"), "rb") as source, open(at("clone"), "wb") as clone:
        if ctypes.CDLL(None).ioctl(clone.fileno(), FICLONE, source.fileno()) != 0:
            clone.write(source.read())
    with open(at("clone"), "r+b") as clone:
        clone.seek(100000)
        clone.write(b"written over")


def main():
    top = sys.argv[1]
    limit = int(sys.argv[2]) << 20
    dice = random.Random(sys.argv[3] if len(sys.argv) > 3 else "1")
    oddities(top, dice)
    fill(top, limit, dice)
    churn(top, limit // 2, dice)
    litter(top, limit * 2)
    fill(os.path.join(top, "again"), limit // 4, dice)
    os.sync()


main()
