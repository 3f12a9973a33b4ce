"""An NBD server that need not keep to the protocol: nbd-server.py FILE RULE...

It is handed its socket as systemd does it, serves FILE, and lies as the rules say:

    size=N            the export's size
    minimum=N         the least size of a request; others are refused
    maximum=N         the most
    extents=one       tells of 64 KiB in each answer about holes, as what it is
    extents=hole      tells that everything is a hole, without a word about zeros
    extents=empty     has ranges of no bytes in its answers
    extents=none      answers about holes with nothing
    extents=beyond    tells of 4 GiB, whatever was asked for, as data
    extents=error     cannot tell
    half=A-B          sends half of what is asked for of these bytes, and says that this was it
    nothing=A-B       sends nothing, and says that this was it
    twice=A-B         sends the first half twice
    pieces=A-B        sends it in pieces, the last one first; this is allowed
    cut=A-B           hangs up in the middle of an answer
    noise=A-B         answers with noise
    error=A-B         cannot read these bytes
    multi             lets several connections be made
    log=FILE          notes each read, one a line: OFFSET LENGTH
"""

import os, socket, struct, sys, threading

path, rules = sys.argv[1], {}
for rule in sys.argv[2:]:
    key, _, value = rule.partition("=")
    rules[key] = value
disk = open(path, "rb")
size = int(rules.get("size", os.fstat(disk.fileno()).st_size))
log = open(rules["log"], "a", buffering=1) if "log" in rules else None
MULTI = 0x100 if "multi" in rules else 0


class Client:
    def __init__(self, sock):
        self.sock, self.structured = sock, False

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def option(self, kind, reply, data=b""):
        self.sock.sendall(struct.pack(">QIII", 0x3E889045565A9, kind, reply, len(data)) + data)

    def handshake(self):
        self.sock.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3))
        self.take(4)
        while True:
            _, kind, length = struct.unpack(">QII", self.take(16))
            data = self.take(length)
            if kind == 8:
                self.structured = True
                self.option(kind, 1)
            elif kind == 10:
                self.option(kind, 4, struct.pack(">I", 7) + b"base:allocation")
                self.option(kind, 1)
            elif kind == 7:
                self.option(kind, 3, struct.pack(">HQH", 0, size, 0x3 | MULTI))
                if "minimum" in rules or "maximum" in rules:
                    least = int(rules.get("minimum", 1))
                    most = int(rules.get("maximum", 1 << 25))
                    self.option(kind, 3, struct.pack(">HIII", 3, least, max(least, 4096), most))
                self.option(kind, 1)
                return
            else:
                self.option(kind, 0x80000001)

    def chunk(self, handle, flags, kind, data=b""):
        self.sock.sendall(struct.pack(">IHHQI", 0x668E33EF, flags, kind, handle, len(data)) + data)

    def failure(self, handle, code):
        self.chunk(handle, 1, 0x8001, struct.pack(">IH", code, 0))

    def applies(self, rule, offset, length):
        if rule not in rules:
            return False
        start, end = map(int, rules[rule].split("-"))
        return offset < end and offset + length > start

    def read(self, handle, offset, length):
        if log:
            log.write(f"{offset} {length}\n")
        least, most = int(rules.get("minimum", 1)), int(rules.get("maximum", 1 << 25))
        if length > most or offset % least or (length % least and offset + length != size):
            return self.failure(handle, 22)
        if self.applies("error", offset, length):
            return self.failure(handle, 5)
        data = os.pread(disk.fileno(), length, offset)
        data += bytes(length - len(data))
        place = struct.pack(">Q", offset)
        if self.applies("nothing", offset, length):
            return self.chunk(handle, 1, 0)
        if self.applies("half", offset, length):
            return self.chunk(handle, 1, 1, place + data[: length // 2])
        if self.applies("twice", offset, length):
            self.chunk(handle, 0, 1, place + data[: length // 2])
            return self.chunk(handle, 1, 1, place + data[: length // 2])
        if self.applies("pieces", offset, length):
            for start in range(length - length % 40000, -1, -40000):
                if start < length:
                    place = struct.pack(">Q", offset + start)
                    self.chunk(handle, 0, 1, place + data[start : start + 40000])
            return self.chunk(handle, 1, 0)
        if self.applies("noise", offset, length):
            return self.sock.sendall(b"noise" * 99)
        if self.applies("cut", offset, length):
            header = struct.pack(">IHHQI", 0x668E33EF, 1, 1, handle, length + 8)
            self.sock.sendall(header + place + data[: length // 2])
            raise EOFError
        self.chunk(handle, 1, 1, place + data)

    def extents(self, handle, offset, length):
        rule, ranges = rules.get("extents"), []
        if rule == "error":
            return self.failure(handle, 22)
        if rule == "one":
            length = min(length, 65536 - offset % 65536)
            is_zero = not any(os.pread(disk.fileno(), length, offset))
            ranges = [(length, 3 if is_zero else 0)]
        elif rule == "hole":
            ranges = [(length, 1)]
        elif rule == "empty":
            ranges = [(0, 3), (length, 3)]
        elif rule == "beyond":
            ranges = [(0xFFFFFE00, 0)]
        elif rule is None:
            ranges = [(length, 0)]
        data = b"".join(struct.pack(">II", *each) for each in ranges)
        self.chunk(handle, 1, 5, struct.pack(">I", 7) + data)

    def serve(self):
        try:
            self.handshake()
            while True:
                _, _, kind, handle, offset, length = struct.unpack(">IHHQQI", self.take(28))
                if kind == 2:
                    return
                if kind == 0:
                    self.read(handle, offset, length)
                elif kind == 7:
                    self.extents(handle, offset, length)
                else:
                    self.failure(handle, 22)
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()


listener = socket.socket(fileno=3)
while True:
    client = Client(listener.accept()[0])
    threading.Thread(target=client.serve, daemon=True).start()
