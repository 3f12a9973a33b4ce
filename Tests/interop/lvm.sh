# shellcheck shell=sh
# Volume groups of lvm2's own tools, on loop devices and without the kernel's device mapper.

requires lvm losetup sgdisk
requires_root

# lvm_attach DISK [OFFSET LENGTH]  makes a loop device of a file or a part of it; its name is in $loop
lvm_attach() {
  loop=$(losetup --show -f ${2:+--offset "$2" --sizelimit "$3"} "$1") || skip 'no loop devices'
  later "losetup -d $loop"
  lvm_devices="$lvm_devices\"a|^$loop\$|\","
}
lvm_devices=

# with_lvm COMMAND [ARGUMENT...]  runs an lvm2 command that sees the attached devices only
with_lvm() {
  mkdir -p lvm-etc
  lvm_command=$1
  shift
  LVM_SYSTEM_DIR=$PWD/lvm-etc LVM_SUPPRESS_FD_WARNINGS=1 lvm "$lvm_command" --driverloaded n -q --config "
    devices { filter=[$lvm_devices\"r|.*|\"] use_devicesfile=0 }
    activation { udev_sync=0 udev_rules=0 }" "$@" 2>lvm-stderr || fail "lvm $lvm_command: $(cat lvm-stderr)"
}

# lvm_pieces GROUP/VOLUME  prints DEVICE PLACE LENGTH of each piece of a volume, in its order
lvm_pieces() {
  with_lvm lvs --noheadings --units b --nosuffix --separator '|' \
    -o vg_extent_size,stripes,stripe_size,seg_pe_ranges "$1" >lvm-segments
  with_lvm pvs --noheadings --units b --nosuffix --separator '|' -o pv_name,pe_start >lvm-starts
  python3 - <<'END'
starts = dict(line.strip().split('|') for line in open('lvm-starts'))
for line in open('lvm-segments'):
    extent, stripes, stripe, ranges = line.strip().split('|')
    extent, stripes, stripe = int(extent), int(stripes), int(stripe)
    parts = []
    for text in ranges.split():
        device, pes = text.rsplit(':', 1)
        first, last = map(int, pes.split('-'))
        parts.append((device, int(starts[device]) + first * extent, (last - first + 1) * extent))
    if stripes == 1:
        for part in parts:
            print(*part)
    else:
        for place in range(0, parts[0][2], stripe):
            for device, start, _ in parts:
                print(device, start + place, stripe)
END
}

# lvm_write GROUP/VOLUME FILE  writes a file to a volume
lvm_write() {
  lvm_pieces "$1" >lvm-pieces
  python3 - "$2" <<'END'
import sys
content = open(sys.argv[1], 'rb')
for line in open('lvm-pieces'):
    device, place, length = line.split()
    with open(device, 'r+b') as target:
        target.seek(int(place))
        target.write(content.read(int(length)))
END
}
