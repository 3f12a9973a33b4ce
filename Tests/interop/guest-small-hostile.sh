#!/bin/sh
# Small real volumes of FAT, exFAT and btrfs, changed byte by byte: no crash, no hang, and never more free space than
# there was; for btrfs also with checksums made to fit, which may not crash or hang either.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-small.sh"

requires mkfs.fat mcopy mkfs.btrfs mkfs.exfat python3
mkdir tree
for name in one two three four five six; do noise 3000 7 >"tree/a long name, $name"; done
mkdir tree/folder
noise 900 8 >tree/folder/seven
for form in '12 400K' '16 5M' '32 34M'; do
  # shellcheck disable=SC2086
  set -- $form
  truncate -s "$2" "fat$1"
  mkfs.fat -F "$1" -s 1 "fat$1" >/dev/null
  MTOOLS_SKIP_CHECK=1 mcopy -s -i "fat$1" tree ::/
done
truncate -s 1M exfat
mkfs.exfat -c 512 -b 4K exfat >/dev/null
truncate -s 17M btrfs
mkfs.btrfs -q -M -n 4096 -r tree btrfs

count=12
[ "${VPIPE_ALL:-0}" = 0 ] || count=300
python3 - "$count" "$VPIPE_SEED" <<'EOF'
import json, os, random, shutil, struct, subprocess, sys

count, random_ = int(sys.argv[1]), random.Random(int(sys.argv[2]))
table = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    table.append(value)

def crc(data):
    value = 0xffffffff
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xffffffff

def free(path):
    done = subprocess.run(["vread", "--skip", "free", "--list", "--json", path], capture_output=True, timeout=20)
    if done.returncode != 0:
        sys.exit("%s: status %d: %s" % (path, done.returncode, done.stderr[-500:]))
    return json.loads(done.stdout)["volumes"][0]["bytes"].get("free", 0)

def patch(at, data):
    with open("changed", "r+b") as file:
        file.seek(at)
        file.write(data)

def values(old):
    return [0, 255, (old + 1) & 255, (old - 1) & 255, random_.randrange(256)]

for name in ["fat12", "fat16", "fat32", "exfat", "btrfs"]:
    image = open(name, "rb").read()
    before = free(name)
    if before == 0:
        sys.exit(name + ": nothing is free")
    shutil.copyfile(name, "changed")
    # Bytes of structures: sectors with something in them, before the files' content.
    end = {"fat12": 20480, "fat16": 65536, "fat32": 700000, "exfat": 200000}.get(name, len(image))
    sectors = [at for at in range(0, end, 512) if any(image[at:at + 512])]
    if name == "btrfs":
        fsid = image[65536 + 32:65536 + 48]
        sectors = [at for at in range(0, end, 4096) if image[at + 32:at + 48] == fsid]
    for turn in range(count * (3 if name == "btrfs" else 1)):
        at = sectors[0] + random_.randrange(512) if turn % 4 == 0 else random_.choice(sectors) + random_.randrange(512)
        block = at // 4096 * 4096
        changed = bytearray(image[block:block + 4096])
        changed[at - block] = random_.choice(values(changed[at - block]))
        fits = name == "btrfs" and turn % 3 != 0
        if fits:
            changed[0:4] = struct.pack("<I", crc(changed[32:]))
        patch(block, changed)
        after = free("changed")
        patch(block, image[block:block + 4096])
        if after > before and not fits:
            sys.exit("%s: byte %d = %d makes %d of %d free" % (name, at, changed[at - block], after, before))
    for size in [len(image) - 512, len(image) // 2, 65536, 511, 0]:
        os.truncate("changed", size)
        if free("changed") > 0:
            sys.exit("%s: %d of its bytes have free space" % (name, size))
    print("%s: %d bytes free" % (name, before))
EOF
