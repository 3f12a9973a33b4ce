"""vhd-mutations.py SEED NUMBER IMAGE...: changes single fields of the images, and has `vhd check` find each change.

Each change that is not found must be one that the format itself allows: allowed() says which, and why. What is found
is repaired; where the format holds it twice or a checksum proves it, the file must be the same again, byte for byte.
"""
import os, random, struct, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mutate import changed, vhd_fields, vhdx_fields

NO_CHECKSUM = "nothing else in the file tells it, and the value is possible"
ANY_VALUE = "any value is right, and nothing else depends on it"


def allowed(field, old, new, resealed):
    """Why a change need not be found; None where it must be."""
    value = new[field.at:field.at + field.count]
    name, structure = field.name, field.structure
    if structure == "file" and name == "creator":
        return "diagnostic only, as the specification says"
    if structure.startswith("header ") and resealed:
        # The number: the other header is in force, or this one still is.
        if name in ("file write", "data write") and any(value):
            return ANY_VALUE
        if name == "sequence":
            return "decides which header is in force; a larger distance than 1 is a note"
        if name == "log guid" and structure == OLDER[0]:
            return "of the older header; told as a note"
    if structure == "metadata" and name == "reserved end":
        return "Hyper-V leaves old entries there; told as a note"
    if HAS_PARENT[0] and structure == "metadata" and name == "entry 5 length":
        return "a parent locator may have room behind its texts"
    if structure == "item":
        number = int.from_bytes(value, "little")
        if name == "disk size" and number % 512 == 0 and 0 < number <= 64 << 40:
            return NO_CHECKSUM
        if name == "disk identifier" and any(value):
            return NO_CHECKSUM
        if name == "physical sector" and number in (512, 4096):
            return NO_CHECKSUM
        if name == "block size" and number in [1 << n for n in range(20, 29)]:
            return NO_CHECKSUM
    if structure == "table" and field.count == 8:
        before, number = struct.unpack("<QQ", old[0:8] + new[0:8])
        state, place = number & 7, number >> 20
        if number & 0xFFFF8 == 0 and not name.startswith("bitmap"):
            if state in (1, 3):
                return "a block of undefined content may keep a place"
            if state == 5:
                return "state 3 of drafts; told as a note"
            if place == 0 and state in (0, 2):
                return NO_CHECKSUM
        if state == before & 7 and state in (6, 7) and place in FREE[0]:
            return "another place that nothing else takes"
        if HAS_PARENT[0] and before & 7 == 6 and state == 7 and before >> 20 == place:
            return "whole or partly there: both are possible where a bitmap is"
    if structure == "footer" and resealed and not HAS_COPY[0]:
        number = int.from_bytes(value, "big")
        if name in ("timestamp", "creator version") or name == "identifier" and any(value):
            return ANY_VALUE
        if name == "creator" and value.rstrip(b"\0").decode("latin-1").isascii() and value.isascii():
            return ANY_VALUE
        if name == "original size" and number and number % 512 == 0:
            return "what the disk had before it was resized; told as a note"
    if structure == "header" and name == "entry count" and resealed:
        return "a table may be longer than the disk needs; told as a note"
    if structure == "header" and resealed and HAS_PARENT[0]:
        if name in ("parent identifier", "parent timestamp", "parent name"):
            return "only the parent tells whether it is the right one"
        if name.startswith("locator ") and name.split()[2] in ("offset", "length", "space"):
            return "another piece of the file may be a path as well"
    if structure == "table" and field.count == 4 and HAS_PARENT[0]:
        if abs(int.from_bytes(old, "big") - int.from_bytes(new, "big")) < 8:
            return "into the gap that alignment leaves; any bitmap is possible there"
    if structure == "locator" and name in ("count", "key length", "value length", "key offset", "value offset"):
        return "other pieces of the item may be a key and a value as well"
    return None


def repairable(field, resealed):
    """Whether the change must be undone, byte for byte."""
    name, structure = field.name, field.structure
    if resealed:
        # The other one cannot prove that it is the right one, unless the changed one is impossible.
        return False
    if structure in ("copy", "footer") and HAS_COPY[0] or structure.startswith("region table"):
        return True
    if structure == "footer":
        return name not in ("timestamp", "creator", "creator version", "identifier")
    if structure == "header":
        return not HAS_PARENT[0] or name in ("cookie", "next", "version", "reserved", "reserved end", "checksum")
    if structure.startswith("header "):
        return name != "data write"
    if structure == "file":
        return name == "signature"
    if structure == "metadata":
        return name in ("signature", "reserved", "reserved 2") or name.endswith(("flags", " reserved"))
    return structure == "table" and (name == "padding" or name.startswith("bitmap") and not HAS_PARENT[0])


def repair(image, field, resealed):
    """Repairs the image in place; says whether it is the same as before it was changed."""
    result = subprocess.run(["vhd", "repair", "--in-place", image], capture_output=True, text=True)
    assert result.returncode in (0, 1, 65), (image, str(field), result)
    with open(image, "rb") as file:
        same = file.read() == WHOLE[0]
    if not same:
        again = subprocess.run(["vhd", "check", "--quiet", "--no-parents", image], capture_output=True, text=True)
        assert (again.returncode == 0) == (result.returncode == 0), (image, str(field), result, again)
    if repairable(field, resealed):
        assert same, f"{image}: {field} was not brought back: {result.stdout}"
    return same


OLDER = ["header 1"]
HAS_PARENT = [False]
HAS_COPY = [False]
FREE = [set()]
# The image before it was changed.
WHOLE = [b""]


def free_units(image, fields):
    """The pieces of 1 MiB of a VHDX with blocks of 1 MiB that nothing takes."""
    with open(image, "rb") as file:
        free = set(range(1, os.path.getsize(image) >> 20))
        file.seek(65536 + 68)
        places = [struct.unpack("<IQ", file.read(12))[::-1]]
        for at in 16, 48:
            file.seek(196608 + at + 16)
            places.append(struct.unpack("<QI", file.read(12)))
        for start, length in places:
            free -= set(range(start >> 20, (start + length) >> 20))
        for field in fields:
            if field.structure == "table":
                file.seek(field.base)
                free.discard(struct.unpack("<Q", file.read(8))[0] >> 20)
    return free


def main():
    seed, number, images = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    source = random.Random(seed)
    found = passed = brought_back = 0
    for image in images:
        fields = vhd_fields(image) if image.endswith(".vhd") else vhdx_fields(image)
        with open(image, "rb") as file:
            WHOLE[0] = file.read()
        HAS_COPY[0] = any(field.structure == "copy" for field in fields)
        HAS_PARENT[0] = any(f.structure == "locator" for f in fields) or "child" in image
        with open(image, "rb") as file:
            numbers = []
            for place in 65536, 131072:
                file.seek(place + 8)
                numbers.append(file.read(8)[::-1])
            OLDER[0] = "header 1" if numbers[0] < numbers[1] else "header 2"
        FREE[0] = free_units(image, fields) if image.endswith(".vhdx") else set()
        # Each field once, as it is or with its checksum made to fit; with VPIPE_ALL=1 in both ways; then at random.
        sealed = [field for field in fields if field.seal and field.name != "checksum"]
        if os.environ.get("VPIPE_ALL") == "1":
            tries = [(field, False) for field in fields] + [(field, True) for field in sealed]
        else:
            tries = [(field, field in sealed and source.randrange(3) == 0) for field in fields]
        while len(tries) < number // len(images):
            tries.append((source.choice(fields), False))
        for field, reseal in tries:
            with open(image, "r+b") as file:
                file.seek(field.base)
                old = file.read(field.length)
                new = old
                while new == old:
                    new = changed(field, old, source, reseal)
                file.seek(field.base)
                file.write(new)
            result = subprocess.run(["vhd", "check", "--quiet", "--no-parents", image], capture_output=True, text=True)
            why = allowed(field, old, new, reseal)
            if result.returncode in (1, 65):
                found += 1
                assert result.returncode == 65 or " at byte " in result.stdout, (field, result)
                if repair(image, field, reseal):
                    brought_back += 1
                    continue
                with open(image, "r+b") as file:
                    file.truncate(file.write(WHOLE[0]))
                continue
            else:
                assert result.returncode == 0, (image, str(field), result)
                value = new[field.at:field.at + min(field.count, 16)]
                assert why, f"{image}: {field} = {value.hex()}, resealed {reseal}, is not found"
                passed += 1
            with open(image, "r+b") as file:
                file.seek(field.base)
                file.write(old)
        result = subprocess.run(["vhd", "check", "--quiet", "--no-parents", image], capture_output=True, text=True)
        assert result.returncode == 0, (image, result)
    print(f"{found} changes found, {brought_back} of them undone byte for byte, {passed} allowed by the format; seed {seed}")
    assert brought_back * 2 > found
    assert found + passed >= number and passed * 5 < found


main()
