#!/bin/sh
# VHDXs of qemu, Hyper-V and Disk2vhd are found sound; logs, truncation and large tables are judged as they should be.
cache=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../cli/functions.sh"

requires python3 qemu-img /usr/bin/time

truncate -s 300M disk.raw
noise 5M | put_at disk.raw $((20 << 20))
qemu-img convert -f raw -O vhdx -o block_size=8M disk.raw dynamic.vhdx
qemu-img convert -f raw -O vhdx -o subformat=fixed disk.raw fixed.vhdx
for image in dynamic fixed; do
  works vhd check $image.vhdx
  shows "$image.vhdx: no problem"
done

echo '* of what is no VHDX'
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
fails 63 vhd check disk.qcow2
says 'disk.qcow2: looks like qcow2, not like a VHD or VHDX'
fails 65 vhd check --format vhdx disk.raw
says 'disk.raw: VHDX file at byte 0: not the expected signature'
fails 63 vhd check --azure dynamic.vhdx
fails 64 vhd check --format qcow2 disk.qcow2

echo '* both headers, and both tables'
cp dynamic.vhdx bad.vhdx
flip bad.vhdx 65600
flip bad.vhdx 131100
flip bad.vhdx 196700
flip bad.vhdx 262200
fails 1 vhd check bad.vhdx
shows 'VHDX header at byte 65540: checksum is' 'VHDX header at byte 131076: checksum is' \
  'VHDX region table at byte 196612: checksum is' 'VHDX region table at byte 262148: checksum is' '4 problems'

echo '* a report'
fails 1 vhd check --junit report.xml --json bad.vhdx
python3 - <<'P'
import json, xml.etree.ElementTree as xml
report = json.load(open("stdout"))
assert report["format"] == "vhdx" and report["problems"] == 4, report
cases = list(xml.parse("report.xml").getroot().iter("testcase"))
failed = {case.get("name"): case.find("failure").text for case in cases if case.find("failure") is not None}
assert sorted(failed) == ["bad.vhdx: VHDX header", "bad.vhdx: VHDX region table"], failed
assert failed["bad.vhdx: VHDX header"].count("checksum") == 2 and len(cases) == 8
P
works vhd check --junit report.xml dynamic.vhdx
grep -q 'failures="0"' report.xml
fails 65 vhd check --junit report.xml disk.raw
grep -q 'failures="1"' report.xml

echo '* cut short'
for left in 100 70000 200000 300000 1500000 3000000 5000000 $(($(size dynamic.vhdx) - 4096)) $(($(size dynamic.vhdx) - 1)); do
  head -c "$left" dynamic.vhdx >cut.vhdx
  fails 1 vhd check cut.vhdx
done

echo '* a log: in use, torn, and of a file that was longer'
cat >log.py <<'P'
import os, struct, sys, uuid
sys.path.insert(0, os.environ["VPIPE_TOP"] + "/Tests/interop")
from mutate import write_log
write_log(sys.argv[1], {int(at): bytes([int(value)]) * 4096 for at, value in
                        (pair.split("=") for pair in sys.argv[3:])}, flushed=int(sys.argv[2]))
P
end=$(size dynamic.vhdx)
cp dynamic.vhdx log.vhdx
python3 -B log.py log.vhdx "$end" $((end - 8192))=7 $((end - 4096))=9
fails 1 vhd check log.vhdx
shows 'VHDX log at byte 1048576: in use: changes in 2 entries have not come' 'log.vhdx: 1 problem'
flip log.vhdx $((1048576 + 3 * 4096 - 100))
fails 1 vhd check log.vhdx
shows 'in use: changes in 1 entry' 'VHDX log at byte 1056768: the newest entry is not whole' '2 problems'
flip log.vhdx $((1048576 + 4096 + 100))
fails 1 vhd check log.vhdx
shows 'it is in use, yet no whole sequence of entries is in it'
cp dynamic.vhdx log.vhdx
python3 -B log.py log.vhdx $((end + 4096)) $((end - 4096))=7
fails 1 vhd check log.vhdx
shows 'VHDX log at byte 1048576: truncated'

echo '* tables of 63 TiB'
qemu-img create -q -f vhdx -o block_size=256M huge.vhdx 63T
works vhd check huge.vhdx
python3 - <<'P'
import os, struct
with open("huge.vhdx", "r+b") as file:
    # The block table becomes that of blocks of 1 MiB, full of the same one.
    file.seek(196608 + 16)
    entries = [file.read(32) for _ in range(2)]
    bat = next(struct.unpack("<Q", e[16:24])[0] for e in entries if e[:4] == bytes.fromhex("6677c22d"))
    file.seek(bat)
    count = 63 * 4 * 1024
    file.write(struct.pack("<Q", 8 << 20 | 6) * count)
    file.truncate(300 << 20)
P
/usr/bin/time -q -f %M -o memory vhd check --quiet huge.vhdx >findings || true
[ "$(wc -l <findings)" -ge 100 ]
[ "$(cat memory)" -lt 100000 ]

if samples=$(XDG_CACHE_HOME=$cache "$VPIPE_TOP/Tests/interop/fetch-qemu-samples"); then
  echo '* of other programs'
  works vhd check "$samples/iotest-dynamic-1G.vhdx"
  works vhd check "$samples/test-disk2vhd.vhdx"
  fails 1 vhd check "$samples/iotest-dirtylog-10G-4M.vhdx"
  # Its host crashed before the table had the new blocks.
  shows 'in use: changes in 1 entry have not come' 'bytes belong to no block, yet hold data' '1 problem'
fi
