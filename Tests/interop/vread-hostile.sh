#!/bin/sh
# Containers that are cut off or changed: an error with the place, or the disk's very bytes; never a crash, a hang or zeros
# where data was.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io python3

# Data that can be told from tables: changes of data are not what is looked at.
yes 'vpipe!!' | head -c 900K >disk.raw
truncate -s 12M disk.raw
yes 'vpipe!!' | head -c 300K | put_at disk.raw 9M
noise 512 5 | put_at disk.raw 12582400
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

images="$(dirname "$0")/images.py"
cp disk.raw child.raw
python3 "$images" vhd-child dynamic.vhd child.vhd child.raw "$VPIPE_SEED"
cp disk.raw childx.raw
python3 "$images" vhdx-child dynamic.vhdx child.vhdx childx.raw "$VPIPE_SEED"
printf '# Disk DescriptorFile\nCID=0000abcd\nparentCID=ffffffff\nRW 24576 VMFS "disk.raw"\n' >flat.vmdk
for kind in cowd sesparse; do
  cp disk.raw $kind.raw
  python3 "$images" $kind $kind.raw $kind.vmdk "$VPIPE_SEED" flat.vmdk
done
qemu-img create -q -f qcow2 -b disk.raw -F raw over.qcow2
qemu-io -c 'write -P 118 4M 200K' over.qcow2 >/dev/null
qemu-img snapshot -c first over.qcow2
qemu-img convert -O raw over.qcow2 over.raw

cat >attack.py <<'EOS'
"""attack.py IMAGE DISK [FILE]: reads IMAGE while it, or FILE that it is made of, is damaged; says what must not be.

Each cut, or change of a byte, must give an error with the file and the place, or the disk's very bytes; a change may also
make it another disk of the same format. No more than 256 MiB of memory, and no crash."""
import hashlib, os, random, resource, subprocess, sys

name, disk = sys.argv[1:3]
target = sys.argv[3] if len(sys.argv) > 3 else name
whole = os.environ.get("VPIPE_ALL") == "1"
cuts, changes, headers = (200, 1500, 4096) if whole else (12, 30, 15)
image, wanted = open(target, "rb").read(), hashlib.sha256(open(disk, "rb").read()).digest()
choice = random.Random(os.environ["VPIPE_SEED"])
format = name.split(".")[-1]
# Headers and tables lie in the first MiB, those of a VHDX in the first three or four; a VHD's footer at its end.
area = min(len(image), (4 if format == "vhdx" else 1) << 20)
used = [i for i in range(0, area, 8) if image[i:i + 8].strip(b"\0") and image[i:i + 8] != b"vpipe!!\n"]
if format == "vhd":
    used += range(len(image) - 512, len(image), 8)


def cut():
    places = {choice.randrange(len(image)) for _ in range(cuts)}
    # Tables begin and end at 512 bytes or at 4 KiB.
    for step in (512, 4096):
        edges = {p + d for p in range(0, area, step) for d in (-1, 0, 1) if 0 <= p + d < len(image)}
        places |= set(choice.sample(sorted(edges), min(len(edges), cuts)))
    for place in sorted(places):
        yield f"cut at {place}", image[:place]


def change():
    for _ in range(changes):
        copy = bytearray(image)
        at = choice.choice(used) + choice.randrange(8) if choice.random() < 0.8 else choice.randrange(area)
        at = min(at, len(image) - 1)
        kind = choice.randrange(4)
        if kind == 0:
            copy[at] ^= 1 << choice.randrange(8)
        elif kind == 1:
            copy[at:at + 4] = b"\xff\xff\xff\xff"
        elif kind == 2:
            # One table's place becomes another's, or its own.
            other = choice.choice(used)
            copy[at & ~7:(at & ~7) + 8] = copy[other:other + 8]
        else:
            copy[at & ~7:(at & ~7) + 8] = choice.randbytes(8)
        yield f"change {kind} at {at}", bytes(copy)[:max(len(image), 1)]


def header():
    bytes = [at + d for at in used[:1024] for d in range(8) if at + d < len(image)][:4096]
    if format == "vhd":
        bytes += range(len(image) - 512, len(image))
    for at in sorted(choice.sample(bytes, min(headers, len(bytes)))):
        copy = bytearray(image)
        copy[at] ^= 0xff
        yield f"byte {at}", copy


bad = 0
for kind in (cut, change, header):
    refused = equal = other = 0
    for text, copy in kind():
        with open(target, "wb") as file:
            file.write(copy)
        # A size field that was changed may promise petabytes of zeros: what is over 16 MiB is not read on.
        reader = subprocess.Popen(["vread", "--raw", "--format", format, name], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        digest, length = hashlib.sha256(), 0
        while length < 16 << 20:
            piece = reader.stdout.read(1 << 20)
            if not piece:
                break
            digest.update(piece)
            length += len(piece)
        reader.stdout.close()
        said = reader.stderr.read().decode(errors="replace")
        status = reader.wait(60)
        # A name may have become another one: not there (2), not to be had (13), of two meanings (64).
        if status in (63, 65) or kind != cut and status in (2, 13, 64) and "'" in said:
            refused += 1
            if f"{name}: " not in said:
                bad += 1
                print(f"{target}: {text}: no file and place: {said}")
        elif status == 0 and digest.digest() == wanted:
            equal += 1
        elif status == 0 and kind == cut or status not in (0, 3) and length < 16 << 20:
            bad += 1
            print(f"{target}: {text}: status {status} after {length} bytes: {said.strip()[-300:]}")
        else:
            other += 1
    print(f"{target}: {kind.__name__}: {refused} refused, {equal} the same, {other} other disks")
with open(target, "wb") as file:
    file.write(image)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
if memory >= 256:
    bad += 1
    print(f"{target}: {memory} MiB of memory")
sys.exit(1 if bad else 0)
EOS
export VPIPE_SEED
for image in dynamic.vhdx sparse.vmdk stream.vmdk plain.qcow2 deflate.qcow2 zstd.qcow2 extended.qcow2 dynamic.vdi some.qed \
  dynamic.vhd; do
  python3 attack.py $image disk.raw
done
python3 attack.py child.vhd child.raw
python3 attack.py child.vhdx childx.raw
python3 attack.py child.vhd child.raw dynamic.vhd
python3 attack.py over.qcow2 over.raw
python3 attack.py cowd.vmdk cowd.raw cowd-delta.vmdk
python3 attack.py sesparse.vmdk sesparse.raw sesparse-sesparse.vmdk
python3 attack.py cowd.vmdk cowd.raw
