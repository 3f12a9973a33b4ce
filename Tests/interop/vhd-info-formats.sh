#!/bin/sh
# info tells of each format what qemu-img tells of it, and what the format's own tools do.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
small_disk disk.raw
truncate -s 40M disk.raw
convert() {
  qemu-img convert -q -f raw -O "$@"
}
convert vhdx -o block_size=4M disk.raw a.vhdx
convert vpc -o force_size disk.raw a.vhd
convert vpc -o force_size,subformat=fixed disk.raw fixed.vhd
convert vmdk disk.raw a.vmdk
convert vmdk -o subformat=streamOptimized disk.raw stream.vmdk
convert vmdk -o subformat=twoGbMaxExtentSparse disk.raw split.vmdk
convert qcow2 -c disk.raw a.qcow2
convert qed disk.raw a.qed
convert vdi disk.raw a.vdi
qemu-img create -q -f qcow2 -b a.qcow2 -F qcow2 over.qcow2
qemu-img snapshot -c one a.qcow2

cat >see.py <<'P'
import json, subprocess, sys
name, driver = sys.argv[1:3]
ours = json.loads(subprocess.run(["vhd", "info", "--json", name], check=True, capture_output=True).stdout)
theirs = json.loads(subprocess.run(["qemu-img", "info", "-f", driver, "--output", "json", name], check=True,
                                   capture_output=True).stdout)
assert ours["size"] == theirs["virtual-size"], (ours, theirs)
cluster = theirs.get("cluster-size")
if cluster and "block_size" in ours:
    assert ours["block_size"] == cluster, (ours, theirs)
if "block_size" in ours:
    assert ours["blocks"] == -(-ours["size"] // ours["block_size"]), ours
    # No more blocks than the file has room for, and all that hold data.
    data = open("disk.raw", "rb").read()
    step = ours["block_size"]
    used = sum(1 for at in range(0, len(data), step) if data[at:at + step].strip(b"\0"))
    if name != "over.qcow2":
        assert used <= ours["allocated_blocks"] <= ours["blocks"], (name, used, ours)
    else:
        assert ours["allocated_blocks"] == 0 and ours["parents"] == [theirs["backing-filename"]], ours
kept = [(s["id"], s["name"]) for s in theirs.get("snapshots", [])]
assert [(s["id"], s["name"]) for s in ours.get("snapshots", [])] == kept, (ours, theirs)
details = theirs.get("format-specific", {}).get("data", {})
if name.endswith("qcow2"):
    assert {"2": "0.10", "3": "1.1"}[ours["version"]] == details["compat"], (ours, theirs)
    assert {"deflate": "zlib"}.get(ours["compression"], ours["compression"]) == details["compression-type"]
    assert ours.get("parent_format") == theirs.get("backing-filename-format"), (ours, theirs)
print(name, ours["type"])
P
for image in a.vhdx:vhdx a.vhd:vpc fixed.vhd:vpc a.vmdk:vmdk stream.vmdk:vmdk split.vmdk:vmdk a.qcow2:qcow2 \
  over.qcow2:qcow2 a.qed:qed a.vdi:vdi disk.raw:raw; do
  python3 see.py "${image%:*}" "${image#*:}"
done >types
cat >expected <<'E'
a.vhdx dynamic
a.vhd dynamic
fixed.vhd fixed
a.vmdk monolithicSparse
stream.vmdk streamOptimized
split.vmdk twoGbMaxExtentSparse
a.qcow2 qcow2
over.qcow2 qcow2
a.qed qed
a.vdi dynamic
disk.raw raw
E
same types expected
works vhd info split.vmdk
shows 'format: vmdk' 'data in: split-s001.vmdk'
works vhd info a.vhdx
shows 'log: empty' 'sectors: 512 bytes, physical' 'creator: QEMU'
if command -v vhdiinfo >/dev/null; then
  vhdiinfo a.vhdx >theirs
  works vhd info a.vhdx
  grep -qi "$(sed -n 's/^identifier: //p' stdout)" theirs || grep -q 'Identifier' theirs
fi
works vhd info --format raw a.qcow2
shows 'type: raw'
fails 64 vhd info --format nothing a.qcow2
head -c 100 a.qcow2 >cut.qcow2
fails 65 vhd info cut.qcow2
