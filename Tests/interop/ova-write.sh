#!/bin/sh
# An OVA of a point: the description first, then the manifest, then the disks; sizes and digests are those of the files.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 tar sha256sum sha1sum qemu-img vmdkinfo
cat >judge.py <<'PYTHON'
"""Compares a description with the files beside it; prints capacity and file of each disk, in the order of the units."""
import os, sys
import xml.etree.ElementTree as tree

ovf, rasd = "{http://schemas.dmtf.org/ovf/envelope/1}", "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
root = tree.parse(sys.argv[1]).getroot()
files = {}
for file in root.findall(f"{ovf}References/{ovf}File"):
    name = file.get(ovf + "href")
    assert "/" not in name and int(file.get(ovf + "size")) == os.stat(name).st_size, name
    files[file.get(ovf + "id")] = name
disks = {}
for disk in root.findall(f"{ovf}DiskSection/{ovf}Disk"):
    assert disk.get(ovf + "format").endswith("#streamOptimized") and disk.get(ovf + "capacityAllocationUnits") == "byte"
    assert int(disk.get(ovf + "populatedSize")) <= int(disk.get(ovf + "capacity"))
    disks["ovf:/disk/" + disk.get(ovf + "diskId")] = disk.get(ovf + "capacity"), files.pop(disk.get(ovf + "fileRef"))
assert not files
items = [{e.tag.replace(rasd, ""): e.text for e in item} for item in root.iter(ovf + "Item")]
assert [list(item) for item in items] == [sorted(item) for item in items]
ids = [item["InstanceID"] for item in items]
assert len(set(ids)) == len(ids)
adapters = {item["InstanceID"]: int(item["Address"]) for item in items if item["ResourceType"] == "6"}
for item in sorted((i for i in items if i["ResourceType"] == "17"), key=lambda i: (adapters[i["Parent"]], int(i["AddressOnParent"]))):
    print(*disks.pop(item["HostResource"]))
assert not disks
PYTHON
# judged ARCHIVE NAME DIGEST DISK...: others find these disks in the archive, and the archive sound.
judged() {
  archive=$PWD/$1 name=$2 sum=$3
  shift 3
  rm -rf out
  mkdir out
  { echo "$name.ovf" && echo "$name.mf" && seq -f "$name-disk%g.vmdk" $#; } >names
  tar -tf "$archive" | cmp - names
  tar -xf "$archive" -C out
  cd out
  # Every member but the manifest is in it.
  sed -n 's/^SHA[0-9]*(\(.*\))= \([0-9a-f]*\)$/\2  \1/p' "$name.mf" >sums
  is "$(wc -l <sums)" $(($# + 1))
  is "$(grep -ci "^$sum(" "$name.mf")" $(($# + 1))
  "${sum}sum" -c --quiet --strict sums
  if command -v xmllint >/dev/null; then xmllint --noout "$name.ovf"; fi
  python3 ../judge.py "$name.ovf" >told
  number=0
  for disk; do
    number=$((number + 1))
    echo "$(size "$disk") $name-disk$number.vmdk"
    qemu-img compare -q -f vmdk -F raw "$name-disk$number.vmdk" "$disk"
    vmdkinfo "$name-disk$number.vmdk" | grep -q 'Stream optimized'
  done >expected
  cmp told expected
  cd ..
}

cp --sparse=always "$(make_disk 64M 8M)" system.raw
chmod u+w system.raw
truncate -s 82838016 system.raw
noise 1536 8 | put_at system.raw 82836480
small_disk data.raw
truncate -s 20G empty.raw
works vstore init -r R
works vstore put -q -r R --name web01 system.raw data.raw empty.raw
system=$PWD/system.raw data=$PWD/data.raw empty=$PWD/empty.raw

works vrestore export -r R web01 -o web01.ova --json
shows '"format":"ova"' '"name":"data","size":12583424'
judged web01.ova web01 sha256 "$system" "$data" "$empty"
# Into a pipe, into the file behind stdout, of one disk, with the old digests.
vrestore export -r R web01 --format ova --spool . | cat >pipe.ova
judged pipe.ova web01 sha256 "$system" "$data" "$empty"
is "$(size pipe.ova)" "$(size web01.ova)"
vrestore export -r R web01:data --format ova --digest sha1 >place.ova
judged place.ova web01 sha1 "$data"

# The other formats, from a repository.
for format in vhd vhdx vmdk qcow2 raw; do
  works vrestore export -r R web01:data -o "data.$format" --force
  vread --raw "data.$format" | cmp - data.raw
done
vrestore export -r R web01:0 --format vmdk | cat >pipe.vmdk
qemu-img compare -q -f vmdk -F raw pipe.vmdk system.raw

# A disk of no bytes makes no image, alone or among others, and nothing is left of the attempt.
: >nothing.raw
works vstore put -q -r R --name some data.raw nothing.raw
for format in vhd vhdx vmdk qcow2; do
  fails 63 vrestore export -r R some:nothing -o none.$format
  says "none.$format: an empty disk makes no"
done
fails 63 vrestore export -r R some -o none.ova
says 'none.ova: an empty disk makes no OVA'
absent none.vhd none.vhdx none.vmdk none.qcow2 none.ova
fails 63 vrestore export -r R some --format ova
is "$(size stdout)" 0
works vrestore export -r R some:nothing -o none.raw
is "$(size none.raw)" 0

# From 8 GiB on, the size of a member has no room in octal digits; the pieces are stored once.
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  noise 64M >piece
  for _ in $(seq 130); do cat piece; done >large.raw
  works vstore put -q -r R --name large large.raw
  rm -f ./*.ova
  works vrestore export -r R large -o large.ova
  judged large.ova large sha256 "$PWD/large.raw"
fi
