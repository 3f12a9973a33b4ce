#!/bin/sh
# Containers that are cut off or changed: an error with the place, or the disk's very bytes; never a crash, a hang or zeros
# where data was.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3

# Data that can be told from tables: changes of data are not what is looked at.
yes 'vpipe!!' | head -c 900K >disk.raw
truncate -s 40M disk.raw
yes 'vpipe!!' | head -c 300K | put_at disk.raw 30M
noise 512 5 | put_at disk.raw 41942528
make() {
  name=$1
  shift
  qemu-img convert -f raw -O "$@" disk.raw "$name"
}
make dynamic.vhdx vhdx -o block_size=1M
make sparse.vmdk vmdk
make stream.vmdk vmdk -o subformat=streamOptimized
make plain.qcow2 qcow2
make deflate.qcow2 qcow2 -c
make zstd.qcow2 qcow2 -c -o compression_type=zstd
make extended.qcow2 qcow2 -o extended_l2=on
make dynamic.vdi vdi
make some.qed qed
make dynamic.vhd vpc -o force_size

cat >attack.py <<'EOS'
"""attack.py IMAGE DISK cut|change COUNT SEED: reads damaged copies of an image; says what must not be."""
import hashlib, random, subprocess, sys

name, disk, what, count, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
image, wanted = open(name, "rb").read(), hashlib.sha256(open(disk, "rb").read()).digest()
choice = random.Random(seed)
format = {"vhd": "vhd", "vmdk": "vmdk", "vhdx": "vhdx", "qcow2": "qcow2", "vdi": "vdi", "qed": "qed"}[name.split(".")[-1]]
# Headers and tables lie in the first MiB, those of a VHDX in the first three or four.
area = min(len(image), (4 if format == "vhdx" else 1) << 20)
used = [i for i in range(0, area, 8) if image[i:i + 8].strip(b"\0") and image[i:i + 8] != b"vpipe!!\n"]


def damaged():
    if what == "cut":
        places = {choice.randrange(len(image)) for _ in range(count)}
        places |= {p + d for p in range(0, len(image), 4096) for d in (-1, 0, 1)
                   if 0 <= p + d < len(image) and choice.random() < count / (3 * len(image) / 4096)}
        for place in sorted(places):
            yield f"cut at {place}", image[:place]
        return
    for _ in range(count):
        copy = bytearray(image)
        at = choice.choice(used) + choice.randrange(8) if choice.random() < 0.8 else choice.randrange(area)
        kind = choice.randrange(4)
        if kind == 0:
            copy[at] ^= 1 << choice.randrange(8)
        elif kind == 1:
            copy[at:at + 4] = b"\xff\xff\xff\xff"
        elif kind == 2:
            other = choice.choice(used)
            copy[at & ~7:(at & ~7) + 8] = copy[other:other + 8]
        else:
            copy[at & ~7:(at & ~7) + 8] = choice.randbytes(8)
        yield f"change {kind} at {at}", bytes(copy)



bad = refused = equal = other = 0
for text, copy in damaged():
    with open("damaged", "wb") as file:
        file.write(copy)
    # A size field that was changed may promise petabytes of zeros: what is over 64 MiB is not read on.
    reader = subprocess.Popen(["vread", "--raw", "--format", format, "damaged"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    digest, length = hashlib.sha256(), 0
    while length < 64 << 20:
        piece = reader.stdout.read(1 << 20)
        if not piece:
            break
        digest.update(piece)
        length += len(piece)
    reader.stdout.close()
    said = reader.stderr.read().decode(errors="replace")
    status = reader.wait(60)
    if status in (63, 65):
        refused += 1
        if "damaged: " not in said:
            bad += 1
            print(f"{name}: {text}: no file and place: {said}")
    elif status == 0 and digest.digest() == wanted:
        equal += 1
    elif status == 0 and what == "cut" or status not in (0, 3) and length < 64 << 20:
        bad += 1
        print(f"{name}: {text}: status {status} after {length} bytes: {said.strip()[-300:]}")
    else:
        other += 1
print(f"{name}: {what}: {refused} refused, {equal} the same, {other} other disks")
sys.exit(1 if bad else 0)
EOS
for image in dynamic.vhdx sparse.vmdk stream.vmdk plain.qcow2 deflate.qcow2 zstd.qcow2 extended.qcow2 dynamic.vdi some.qed \
  dynamic.vhd; do
  python3 attack.py $image disk.raw cut "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 400 || echo 25)" "$VPIPE_SEED"
  python3 attack.py $image disk.raw change "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 3000 || echo 60)" "$VPIPE_SEED"
done
