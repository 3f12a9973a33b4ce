#!/bin/sh
# A streamOptimized VMDK is read from a pipe in one pass, in every order in which its grains and tables can come: exactly, or not
# at all.
# shellcheck disable=SC2002 # pipes are what is tested
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
write() {
  python3 "$VPIPE_TOP/Tests/interop/vmdkstream.py" "$@"
}
mkdir spool

# noises MIB SEED: as noise, and faster.
noises() {
  python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(sys.argv[2]).randbytes(int(sys.argv[1]) << 20))' "$@"
}
# Noise over several grain tables with empty ones between them, and a last grain that is cut off.
noises 3 1 | put_at disk.raw 10M
noises 54 2 | put_at disk.raw 100M
yes 'a line of text' | head -c 3M | put_at disk.raw 200M
noise 1536 8 | put_at disk.raw 220200960

# flows FILE: reads as the disk from a pipe, though nothing can be saved.
flows() {
  cat "$1" | vread --raw --spool /nonexistent - | cmp - disk.raw || fail "$1: reads wrong from a pipe"
}
# is_saved FILE: it cannot flow; saved meanwhile, it reads as the disk, and leaves nothing behind.
is_saved() {
  cat "$1" | fails 2 vread --raw --spool /nonexistent -
  says 'spool file in /nonexistent' 'hint: '
  cat "$1" | vread --raw --spool spool - | cmp - disk.raw || fail "$1: reads wrong when it is saved"
  is "$(ls spool)" ''
}

echo '* as qemu-img writes it'
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw qemu.vmdk
flows qemu.vmdk
cat qemu.vmdk | vread -v - 2>said | vhd create -q -o from-pipe.vhd
grep -q 'zero' said
qemu-img compare -q -f vpc -F raw from-pipe.vhd disk.raw
xz -T2 -1 -c qemu.vmdk >qemu.vmdk.xz
flows qemu.vmdk.xz
vread --raw qemu.vmdk.xz | cmp - disk.raw

echo '* as it is written into pipes'
write disk.raw after.vmdk
qemu-img compare -q -f vmdk -F raw after.vmdk disk.raw || fail 'qemu-img reads after.vmdk otherwise'
flows after.vmdk
vread --raw after.vmdk | cmp - disk.raw
write disk.raw inside.vmdk --order inside
flows inside.vmdk
# One table is for more than may wait then.
write disk.raw grain.vmdk --grain 4096
is_saved grain.vmdk

echo '* tables that come late, and grains in any order'
for order in ascending anywhere; do
  write disk.raw late.vmdk --tables late --order $order
  is_saved late.vmdk
done
fails 2 vread --raw --spool spool --spool-limit 20M - <late.vmdk
says 'no more than 20971520 bytes' 'hint: --spool-limit'
fails 64 vread --raw --spool-limit much - <late.vmdk

# What went out in order cannot be called back: told, never wrong.
write disk.raw tables.vmdk --order tables
fails 65 vread --raw - <tables.vmdk
says 'comes after what tells that it has none'
vread --raw tables.vmdk | cmp - disk.raw
# As long as little has come, nothing went out.
truncate -s 110M small.raw
noises 1 3 | put_at small.raw 33M
noises 1 4 | put_at small.raw 100M
for order in 'after --order tables' 'late --order anywhere' 'after --grain 8'; do
  # shellcheck disable=SC2086
  write small.raw small.vmdk --tables $order
  vread --raw --spool /nonexistent - <small.vmdk | cmp - small.raw
done
truncate -s 70M empty.raw
write empty.raw empty.vmdk
vread --raw - <empty.vmdk | cmp - empty.raw

echo '* what no honest program writes'
for defect in twice beyond unaligned lost orphan no-footer no-end no-directory behind swapped-table wrong-directory \
  other-capacity damaged short early-end missing-table second-directory huge-grain kind; do
  for disk in small disk; do
    [ $disk = small ] || [ $defect = lost ] || continue
    write $disk.raw bad.vmdk --defect $defect
    status=0
    vread - <bad.vmdk >stream 2>stderr || status=$?
    case $status in 63 | 65) ;; *) fail "$defect: status $status: $(cat stderr)" ;; esac
    says 'stdin: VMDK'
    fails 4 vhd create -o bad.vhd <stream
    absent bad.vhd
  done
done

echo '* very many tables of one grain each, which come in the opposite order'
cat >many.py <<'EOS'
import struct, sys, zlib
count = int(sys.argv[1])
capacity = count * 512 * 8


def header(directory):
    return struct.pack("<4sIIQQQQIQQQB4sH433x", b"KDMV", 3, 0x30001, capacity, 8, 1, 20, 512, 0, directory, 128, 0,
                       b"\n \r\n", 1)


text = f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="streamOptimized"\nRW {capacity} SPARSE "x"\n'
grain = zlib.compress(b"x" * 4096)
out = [header(2**64 - 1), text.encode().ljust(127 * 512, b"\0")]
sector, places, tables = 128, [0] * count, [0] * count
for number in reversed(range(count)):
    places[number] = sector
    out.append((struct.pack("<QI", number * 4096, len(grain)) + grain).ljust(512, b"\0"))
    sector += 1
for number in reversed(range(count)):
    tables[number] = sector + 1
    out.append(struct.pack("<QII496xI", 4, 0, 1, places[number]).ljust(2560, b"\0"))
    sector += 5
packed = struct.pack(f"<{count}I", *tables)
packed += b"\0" * (-len(packed) % 512)
out += [struct.pack("<QII496x", len(packed) // 512, 0, 2), packed, struct.pack("<QII496x", 1, 0, 3), header(sector + 1),
        b"\0" * 512]
sys.stdout.buffer.write(b"".join(out))
EOS
python3 many.py 20000 >many.vmdk
vstore init -r R >/dev/null
timeout 60 vread --spool /nonexistent - <many.vmdk | works vstore put -q -r R --name many -
rm -r many.vmdk R

echo '* cut off at 100 places'
cat >cut.py <<'EOS'
import random, subprocess, sys
data, choice = open(sys.argv[1], "rb").read(), random.Random(sys.argv[3])
count = int(sys.argv[2])
places = {choice.randrange(len(data)) for _ in range(count // 2)}
places |= {choice.randrange(len(data) // 512) * 512 + choice.choice((-1, 0, 1, 12)) for _ in range(count // 4)}
places |= set(range(len(data) - 2048, len(data), 2048 // max(count // 4, 1) or 1))
bad = 0
for place in sorted(p for p in places if 0 <= p < len(data)):
    run = subprocess.run(["vread", "--spool", "spool", "-"], input=data[:place], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    # A stream that could not even be told from nothing is a wrong use, not damage.
    if run.returncode != 65 and not (place < 512 and run.returncode == 64):
        bad += 1
        print(f"{sys.argv[1]} cut at {place}: status {run.returncode}: {run.stderr.decode()}")
sys.exit(1 if bad else 0)
EOS
write small.raw small.vmdk
python3 cut.py small.vmdk "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 800 || echo 50)" "$VPIPE_SEED"
write small.raw small.vmdk --tables late
python3 cut.py small.vmdk "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 800 || echo 50)" "$VPIPE_SEED"
is "$(ls spool)" ''
