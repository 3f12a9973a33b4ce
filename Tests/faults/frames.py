#!/usr/bin/python3
"""frames.py: takes a stream apart at its frames (docs/stream-format.md) and puts it together wrongly.

    frames.py list STREAM               a line for each frame: number, offset, bytes, type
    frames.py boundaries STREAM         the offsets where the prelude and each frame end
    frames.py cuts STREAM COUNT SEED    so many places to cut it: boundaries, next to them, random; COUNT 0 means
                                        all boundaries and their neighbours, and 1000 random places
    frames.py drop STREAM N             without frame N, on standard output, as all below
    frames.py repeat STREAM N           with frame N twice
    frames.py move STREAM N M           with frame N behind frame M
    frames.py swap STREAM N M           with frames N and M exchanged
    frames.py splice STREAM N OTHER M   frames before N, then those of OTHER from M on
    frames.py append STREAM OTHER       all of OTHER behind it
    frames.py flip STREAM N PART [MASK] with one byte of frame N changed: PART is a field of the header
                                        (type flags volume sequence offset length payload detail check), `body` for
                                        the middle of the payload or a byte number; N -1 is the prelude

It needs nothing of vpipe and checks nothing.
"""

import random
import struct
import sys

PRELUDE, HEADER = 64, 48
TYPES = {1: "volume", 2: "data", 3: "hole", 4: "chunk", 5: "reference", 6: "fingerprint", 7: "attachment",
         8: "warning", 9: "abort", 10: "seal"}
FIELDS = {"type": 0, "flags": 2, "volume": 4, "sequence": 8, "offset": 16, "length": 24, "payload": 32, "detail": 36,
          "check": 40}


def parts(name):
    """The prelude and the frames of a stream, as bytes."""
    with open(name, "rb") as file:
        stream = file.read()
    pieces, at = [stream[:PRELUDE]], PRELUDE
    while at < len(stream):
        if len(stream) - at < HEADER:
            sys.exit(f"frames.py: {name}: ends within a header, at {at}")
        end = at + HEADER + struct.unpack_from("<L", stream, at + 32)[0]
        if end > len(stream):
            sys.exit(f"frames.py: {name}: the frame at {at} ends behind the stream")
        pieces.append(stream[at:end])
        at = end
    return pieces[0], pieces[1:]


def boundaries(name):
    prelude, frames = parts(name)
    ends = [len(prelude)]
    for frame in frames:
        ends.append(ends[-1] + len(frame))
    return ends


def cuts(name, count, seed):
    ends = boundaries(name)
    size = ends.pop()
    source = random.Random(seed)
    near = sorted({0, 1} | {end + step for end in ends for step in (-1, 0, 1)} | {size - 1})
    if count == 0:
        return sorted(set(near) | {source.randrange(size) for _ in range(1000)})
    always = {0, PRELUDE, ends[-1], ends[-1] + 1, size - 1}
    chosen = always | set(source.sample(near, min(len(near), max(1, count // 2))))
    while len(chosen) < min(count, size):
        chosen.add(source.randrange(size))
    return sorted(chosen)


def flipped(frame, part, mask):
    body = HEADER + (len(frame) - HEADER) // 2
    at = FIELDS[part] if part in FIELDS else body if part == "body" else int(part)
    if not 0 <= at < len(frame):
        sys.exit(f"frames.py: no byte {at} in that frame")
    return frame[:at] + bytes([frame[at] ^ mask]) + frame[at + 1:]


def main(action, name, *words):
    numbers = [int(word) for word in words if word.lstrip("-").isdigit()]
    if action == "list":
        for number, (frame, end) in enumerate(zip(parts(name)[1], boundaries(name)[1:])):
            kind = struct.unpack_from("<H", frame)[0]
            print(number, end - len(frame), len(frame), TYPES.get(kind, kind))
        return
    if action == "boundaries":
        print(*boundaries(name), sep="\n")
        return
    if action == "cuts":
        print(*cuts(name, int(words[0]), words[1]), sep="\n")
        return
    prelude, frames = parts(name)
    if action == "drop":
        del frames[numbers[0]]
    elif action == "repeat":
        frames.insert(numbers[0], frames[numbers[0]])
    elif action == "move":
        frames.insert(numbers[1], frames.pop(numbers[0]))
    elif action == "swap":
        first, second = numbers
        frames[first], frames[second] = frames[second], frames[first]
    elif action == "splice":
        frames = frames[:int(words[0])] + parts(words[1])[1][int(words[2]):]
    elif action == "append":
        with open(words[0], "rb") as other:
            frames.append(other.read())
    elif action == "flip":
        mask = int(words[2], 0) if len(words) > 2 else 255
        if words[0] == "-1":
            prelude = flipped(prelude, words[1], mask)
        else:
            frames[int(words[0])] = flipped(frames[int(words[0])], words[1], mask)
    else:
        sys.exit(__doc__)
    sys.stdout.buffer.write(prelude + b"".join(frames))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
