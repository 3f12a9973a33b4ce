#!/usr/bin/python3 -SE
"""Toy versions of the tools, for tests of the fault tests: links to this file, with a tool's name, act as that tool.

They know just the options that the fault tests use. Their stream has the frames of docs/stream-format.md with other
checks; their repository is their own. Without mutant they keep the promises that the fault tests are about. Each
mutant, named in VPIPE_TOY (several with commas), breaks one of them, and the fault tests have to notice.
"""

import hashlib
import json
import os
import struct
import sys
import threading

MUTANTS = set(filter(None, os.environ.get("VPIPE_TOY", "").split(",")))
KNOWN = {
    "no-seal",          # takes a stream without a seal for a whole one
    "no-frame-check",   # does not look at the frames' checks
    "no-sequence",      # nor whether a frame is missing or comes twice
    "dangling",         # takes references to chunks that are not there
    "no-tail",          # nor at what follows the seal
    "kept-output",      # leaves a part under the final name
    "write-errors",     # goes on after a failed write
    "short-writes",     # takes a short write for a whole one
    "fsync-errors",     # goes on after a failed fsync
    "print-errors",     # exits with 0 when standard output is full
    "point-first",      # publishes the point before what it needs
    "in-place",         # writes files under their final names
    "no-fsync", "no-dirfsync",
    "lock-file",        # a lock that has to be removed by hand
    "shared-index",     # one index file that writers read, change and write back
    "check-names",      # check looks at names only
    "check-shallow",    # check --read-data does not read the data
    "check-points",     # check does not miss a deleted point
    "no-restore-check", # restores what it finds
    "crash",            # a damaged file ends in a signal
}
assert MUTANTS <= KNOWN, MUTANTS - KNOWN

CHUNK, PACK = 1 << 16, 5 << 17
HEAD = b"a toy's pack\n\0\0\0"
PRELUDE_MAGIC = bytes.fromhex("8956504950450d0a1a0a000000000000")
VOLUME, DATA, CHUNK_FRAME, REFERENCE, SEAL = 1, 2, 4, 5, 10


class Failure(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def sha(data):
    return hashlib.sha256(data).hexdigest()


def check8(data, seed=b""):
    return hashlib.blake2b(seed + data, digest_size=8).digest()


def write_all(file, data):
    view = memoryview(data)
    while len(view):
        try:
            written = os.write(file, view)
        except OSError as error:
            if "write-errors" in MUTANTS:
                return
            raise Failure(2, f"write: {error}")
        if "short-writes" in MUTANTS:
            return
        view = view[written:]


def sync(file, kind="no-fsync"):
    if kind in MUTANTS:
        return
    try:
        os.fsync(file)
    except OSError as error:
        if "fsync-errors" not in MUTANTS:
            raise Failure(2, f"fsync: {error}")


def sync_folder(name):
    file = os.open(name, os.O_RDONLY)
    sync(file, "no-dirfsync")
    os.close(file)


def write_stdout(data):
    try:
        view = memoryview(data)
        while len(view):
            view = view[os.write(1, view):]
    except OSError as error:
        if "print-errors" not in MUTANTS:
            raise Failure(2, f"standard output: {error}")


# ---- the stream ----

class Writer:
    def __init__(self):
        prelude = PRELUDE_MAGIC + struct.pack("<HHL", 1, 0, 0) + os.urandom(16) + bytes(16)
        self.seed = check8(prelude)
        self.digest, self.count = self.seed, 0
        write_stdout(prelude + self.seed)

    def frame(self, kind, offset=0, length=0, payload=b""):
        header = struct.pack("<HHLQQQLL", kind, 1, 0, self.count, offset, length, len(payload), 0)
        check = check8(header + payload, self.seed)
        self.digest = check8(check, self.digest)
        self.count += 1
        write_stdout(header + check + payload)

    def seal(self):
        self.frame(SEAL, payload=struct.pack("<QQ", self.count, 0) + self.digest + bytes(8))


class Reader:
    def __init__(self, file=0):
        self.file = file
        prelude = self.take(64)
        self.seed = self.digest = prelude[56:]
        if prelude[:16] != PRELUDE_MAGIC or check8(prelude[:56]) != self.seed:
            raise Failure(65, "not a stream")

    def take(self, count, first=False):
        data = b""
        while len(data) < count:  # a mutant takes an end anywhere behind the prelude for the end
            piece = os.read(self.file, count - len(data))
            if not piece:
                if first and not data:
                    return b""
                if "no-seal" in MUTANTS and hasattr(self, "seed"):
                    return b""
                raise Failure(4, "the stream ends within a frame")
            data += piece
        return data

    def frames(self):
        count = 0
        while True:
            header = self.take(48, first=True)
            if not header:
                if "no-seal" in MUTANTS:
                    return
                raise Failure(4, "the stream is not sealed")
            kind, _, _, number, offset, length, size, _ = struct.unpack("<HHLQQQLL", header[:40])
            if size > 1 << 24:
                raise Failure(65, "too large a frame")
            payload = self.take(size)
            if check8(header[:40] + payload, self.seed) != header[40:] and "no-frame-check" not in MUTANTS:
                raise Failure(65, "a frame is damaged")
            if number != count and "no-sequence" not in MUTANTS:
                raise Failure(65, "a frame is missing")
            if kind == SEAL:
                if not MUTANTS & {"no-frame-check", "no-sequence"}:
                    if payload[:8] != struct.pack("<Q", count) or payload[16:24] != self.digest:
                        raise Failure(4, "the seal does not fit")
                if os.read(self.file, 1) and "no-tail" not in MUTANTS:
                    raise Failure(4, "something follows the seal")
                return
            self.digest = check8(header[40:], self.digest)
            count += 1
            yield kind, offset, length, payload


# ---- files ----

def create(name):
    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        raise Failure(2, f"{name}: {error}")


class Output:
    """A file that appears when it is whole."""

    def __init__(self, name):
        self.name = name
        direct = MUTANTS & {"kept-output", "in-place"}
        self.temporary = name if direct else f"{name}.{os.getpid()}.partial"
        self.file = create(self.temporary)

    def write(self, data):
        write_all(self.file, data)

    def finish(self):
        sync(self.file)
        os.close(self.file)
        if self.temporary != self.name:
            os.rename(self.temporary, self.name)
        sync_folder(os.path.dirname(self.name) or ".")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.finish()
        elif self.temporary != self.name:
            os.unlink(self.temporary)


def publish(repository, name, data):
    path = os.path.join(repository, name)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        sync_folder(os.path.dirname(folder))
    if "in-place" in MUTANTS:
        temporary = path
    else:
        temporary = os.path.join(repository, "writers", f"{os.getpid()}-{os.path.basename(name)}")
    file = create(temporary)
    half = len(data) // 2
    thread = threading.Thread(target=write_all_in, args=(file, data[:half]))  # so that killat sees threads
    thread.failure = None
    thread.start()
    thread.join()
    if thread.failure:
        raise thread.failure
    write_all(file, data[half:])
    sync(file)
    os.close(file)
    if temporary != path:
        os.rename(temporary, path)
        sync_folder(folder)


def write_all_in(file, data):
    try:
        write_all(file, data)
    except Failure as failure:
        threading.current_thread().failure = failure


def load(name, status=65):
    try:
        with open(name, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Failure(status, f"{name}: missing")


# ---- the repository: config, packs/xx/SHA, index/SHA, points/NUMBER-NAME-SHA, copies/ of points ----

def sealed(value):
    body = json.dumps(value).encode()
    return body + b"\n" + sha(body).encode() + b"\n"


def unsealed(name, data):
    body, _, rest = data.rpartition(b"\n")[0].rpartition(b"\n")
    if data != body + b"\n" + sha(body).encode() + b"\n":
        if "crash" in MUTANTS:
            os.abort()
        raise Failure(65, f"{name}: damaged")
    return json.loads(body)


class Repository:
    def __init__(self, path):
        self.path = path
        unsealed(f"{path}/config", load(f"{path}/config", 10))

    def names(self, folder):
        return sorted(os.listdir(os.path.join(self.path, folder)))

    def points(self):
        """Name of the file, name of the point; oldest first."""
        return [(name, name.split("-")[1]) for name in self.names("points")]

    def point_file(self, wanted):
        for file, name in reversed(self.points()):
            if wanted == name or file.rpartition("-")[2].startswith(wanted):
                return f"points/{file}"
        raise Failure(10, f"{wanted}: no such point")

    def read(self, name):
        return load(os.path.join(self.path, name))

    def index(self):
        found, covered = {}, set()
        for name in self.names("index"):
            try:
                part = unsealed(f"index/{name}", self.read(f"index/{name}"))
            except Failure:
                continue
            found.update(part)
            covered |= {pack for pack, _, _ in part.values()}
        if "shared-index" not in MUTANTS:
            for folder in self.names("packs"):
                for pack in set(self.names(f"packs/{folder}")) - covered:
                    try:
                        directory = self.pack(pack, False)
                    except Failure:
                        continue
                    found.update({chunk: [pack, *place] for chunk, place in directory.items()})
        return found

    def pack(self, name, deep):
        """Checks a pack; its chunks."""
        data = self.read(f"packs/{name[:2]}/{name}")
        at = struct.unpack("<Q", data[-12:-4])[0] if len(data) >= 16 else 0
        if data[:16] != HEAD or data[-4:] != b"PACK" or not 16 <= at <= len(data) - 12:
            raise Failure(65, f"packs/{name}: damaged")
        directory = unsealed(f"packs/{name}", data[at:-12])
        if sum(length for _, length in directory.values()) != at - 16:
            raise Failure(65, f"packs/{name}: damaged")
        if deep and sha(data) != name:
            raise Failure(65, f"packs/{name}: damaged")
        return directory


def init(path):
    if os.path.exists(f"{path}/config"):
        raise Failure(2, "exists")
    for folder in ("", "packs", "index", "points", "copies", "writers"):
        os.makedirs(os.path.join(path, folder), exist_ok=True)
    sync_folder(path)
    sync_folder(os.path.dirname(os.path.abspath(path)))
    publish(path, "config", sealed({"version": 1}))


class Putter:
    def __init__(self, repository):
        self.repository, self.path = repository, repository.path
        self.known, self.fresh, self.chunks, self.pending, self.held = repository.index(), {}, [], [], 0

    def add(self, data):
        name = sha(data)
        self.chunks.append([name, len(data)])
        if name in self.known or name in self.fresh or any(name == n for n, _ in self.pending):
            return
        self.pending.append((name, data))
        self.held += len(data)
        if self.held >= PACK:
            self.flush()

    def flush(self):
        if not self.pending:
            return
        directory, body = {}, HEAD
        for name, data in self.pending:
            directory[name] = [len(body), len(data)]
            body += data
        data = body + sealed(directory) + struct.pack("<Q", len(body)) + b"PACK"
        pack = sha(data)
        publish(self.path, f"packs/{pack[:2]}/{pack}", data)
        self.fresh.update({name: [pack, *place] for name, place in directory.items()})
        self.pending, self.held = [], 0

    def write_index(self):
        if "shared-index" in MUTANTS:
            publish(self.path, "index/all", sealed({**self.known, **self.fresh}))
        elif self.fresh:
            data = sealed(self.fresh)
            publish(self.path, f"index/{sha(data)}", data)

    def commit(self, name):
        earlier = self.repository.names("points")
        point = {"name": name, "chunks": self.chunks, "earlier": earlier, "random": os.urandom(8).hex()}

        def publish_point():
            point["indexes"] = self.repository.names("index")
            data = sealed(point)
            point["id"] = sha(data)
            file = f"{len(earlier) + 1:06}-{name}-{point['id']}"
            publish(self.path, f"points/{file}", data)
            publish(self.path, f"copies/{file}", data)

        steps = [self.flush, self.write_index, publish_point]
        if "point-first" in MUTANTS:
            steps = [steps[2], steps[0], steps[1]]
        for step in steps:
            step()
        return point["id"]


def pieces_of(name):
    with open(name, "rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def put(repository, name, source):
    putter = Putter(repository)
    lock = os.path.join(repository.path, "lock")
    if "lock-file" in MUTANTS:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            raise Failure(11, "locked")
    if source:
        for piece in pieces_of(source):
            putter.add(piece)
    else:
        for kind, _, _, payload in Reader().frames():
            if kind in (DATA, CHUNK_FRAME):
                putter.add(payload)
            elif kind == REFERENCE:
                if payload.hex() not in putter.known and "dangling" not in MUTANTS:
                    raise Failure(65, f"chunk {payload.hex()}: missing")
                putter.chunks.append([payload.hex(), CHUNK])
    point = putter.commit(name)
    if "lock-file" in MUTANTS:
        os.unlink(lock)
    write_stdout(point.encode() + b"\n")


def contents(repository, wanted):
    name = repository.point_file(wanted)
    point = unsealed(name, repository.read(name))
    if sha(repository.read(name)) != name.rpartition("-")[2]:
        raise Failure(65, f"{name}: has another file's content")
    index = repository.index()
    for chunk, length in point["chunks"]:
        if chunk not in index:
            raise Failure(65, f"chunk {chunk}: missing")
        pack, offset, size = index[chunk]
        with open(f"{repository.path}/packs/{pack[:2]}/{pack}", "rb") as file:
            file.seek(offset)
            data = file.read(size)
        if sha(data) != chunk and "no-restore-check" not in MUTANTS:
            raise Failure(65, f"packs/{pack}: chunk {chunk} is damaged")
        yield data


def check(path, deep):
    problems = []

    def attempt(name, work):
        try:
            return work()
        except (Failure, OSError, ValueError) as error:
            problems.append(f"{name}: {error}")

    attempt("config", lambda: unsealed("config", load(f"{path}/config")))
    repository = Repository.__new__(Repository)
    repository.path = path
    if "check-names" in MUTANTS:
        return problems
    packs = {}
    for name in repository.names("index"):
        value = attempt(f"index/{name}", lambda: unsealed(name, repository.read(f"index/{name}")))
        if value is not None and sha(repository.read(f"index/{name}")) != name and "shared-index" not in MUTANTS:
            problems.append(f"index/{name}: has another file's content")
        for chunk, (pack, *place) in (value or {}).items():
            packs.setdefault(pack, {})[chunk] = place
    stored = {name for folder in repository.names("packs") for name in repository.names(f"packs/{folder}")}
    chunks = set()
    for name in sorted(set(packs) | stored):
        really = deep and "check-shallow" not in MUTANTS
        directory = attempt(f"packs/{name}", lambda: repository.pack(name, really))
        if directory is not None and name in packs and directory != packs[name]:
            problems.append(f"packs/{name}: not what the index says")
        chunks |= set(directory or ())
    points = repository.names("points")
    expected, indexes = set(points), set()
    if "check-points" not in MUTANTS:
        expected |= set(repository.names("copies"))
    for name in points:
        value = attempt(f"points/{name}", lambda: unsealed(name, repository.read(f"points/{name}"))) or {}
        if value and sha(repository.read(f"points/{name}")) != name.rpartition("-")[2]:
            problems.append(f"points/{name}: has another file's content")
        if "check-points" not in MUTANTS:
            expected |= set(value.get("earlier", ()))
        indexes |= set(value.get("indexes", ()))
        if not {chunk for chunk, _ in value.get("chunks", ())} <= chunks:
            problems.append(f"points/{name}: chunks are missing")
    problems += [f"points/{name}: missing" for name in expected - set(points)]
    for name in points if deep else ():
        copy = f"{path}/copies/{name}"
        if not os.path.exists(copy) or load(copy) != repository.read(f"points/{name}"):
            write_stdout(f"note: copies/{name} is damaged\n".encode())
    for name in indexes - set(repository.names("index")):
        problems.append(f"index/{name}: missing")
    return problems


def restore_raw(repository, point, output):
    if output:
        with Output(output) as file:
            for data in contents(repository, point):
                file.write(data)
    else:
        for data in contents(repository, point):
            write_stdout(data)


def stream_out(pieces):
    writer = Writer()
    writer.frame(VOLUME, length=0, payload=b"name=disk\0")
    offset = 0
    for piece in pieces:
        writer.frame(DATA, offset, len(piece), piece)
        offset += len(piece)
    writer.seal()


def pass_on(change):
    writer = Writer()
    for kind, offset, length, payload in Reader().frames():
        writer.frame(*change(kind, offset, length, payload))
    writer.seal()


def vdedup(repository):
    known = repository.index()

    def change(kind, offset, length, payload):
        if kind in (DATA, CHUNK_FRAME) and sha(payload) in known and length == CHUNK:
            return REFERENCE, offset, length, bytes.fromhex(sha(payload))
        return kind, offset, length, payload

    pass_on(change)


def vchunk():
    pass_on(lambda kind, *rest: (CHUNK_FRAME if kind == DATA else kind, *rest))


def vhd(output):
    with Output(output) as file:
        for kind, _, _, payload in Reader().frames():
            if kind in (DATA, CHUNK_FRAME):
                file.write(payload)
        file.write(b"conectix".ljust(512, b"\0"))


def options(words):
    named, rest = {}, []
    words = iter(words)
    for word in words:
        if word in ("-r", "--name", "-o", "--type"):
            named[word] = next(words)
        elif word.startswith("-"):
            named[word] = True
        else:
            rest.append(word)
    return named, rest


def main(tool, *words):
    named, rest = options(words)
    if "--version" in named or "--help" in named:
        write_stdout(b"toy\n")
        return 0
    action = rest.pop(0) if tool in ("vstore", "vhd") else ""
    if (tool, action) == ("vstore", "init"):
        init(named["-r"])
        return 0
    if (tool, action) == ("vstore", "check"):
        problems = check(named["-r"], "--read-data" in named)
        write_stdout("".join(problem + "\n" for problem in problems).encode())
        return 1 if problems else 0
    repository = Repository(named["-r"]) if "-r" in named else None
    if (tool, action) == ("vstore", "put"):
        put(repository, named["--name"], rest[0] if rest else None)
    elif (tool, action) == ("vstore", "list"):
        points = [json.dumps({"id": file.rpartition("-")[2], "name": name}) for file, name in repository.points()]
        write_stdout("".join(line + "\n" for line in points).encode())
    elif tool == "vread" and "--raw" in named:
        for piece in pieces_of(rest[0]):
            write_stdout(piece)
    elif tool == "vread":
        stream_out(pieces_of(rest[0]))
    elif tool == "vchunk":
        vchunk()
    elif tool == "vdedup":
        vdedup(repository)
    elif tool == "vrestore" and ("--raw" in named or "-o" in named):
        restore_raw(repository, rest[0], named.get("-o"))
    elif tool == "vrestore":
        stream_out(contents(repository, rest[0]))
    elif (tool, action) == ("vhd", "create"):
        vhd(named["-o"])
    else:
        raise Failure(64, "toys cannot do that")
    return 0


if __name__ == "__main__":
    while os.open("/dev/null", os.O_RDONLY) < 3:  # a closed standard output must not become a file of the repository
        pass
    try:
        result = main(os.path.basename(sys.argv[0]), *sys.argv[1:])
    except Failure as failure:
        os.write(2, f"{sys.argv[0]}: {failure}\n".encode())
        result = failure.status
    except (OSError, ValueError, KeyError, struct.error) as error:
        os.write(2, f"{sys.argv[0]}: {error!r}\n".encode())
        result = 2
    os._exit(result)
