#!/bin/sh
# info and check say what is there, as text and as JSON, with the statuses of vpipe(7).
. "$(dirname "$0")/functions.sh"

requires python3

truncate -s 100M disk.raw
noise 1M | put_at disk.raw $((50 << 20))
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic

works vhd info fixed.vhd
shows 'type: fixed' 'size: 104857600 bytes (100 MiB)' 'file size: 104858112 bytes' 'creator: win  10.0' \
  'geometry: 65535/16/255'
works vhd info dynamic.vhd
shows 'type: dynamic' 'blocks: 1 of 50, 2.00 MiB each'
works vhd info disk.raw
shows 'type: raw'

vhd info dynamic.vhd --json >info.json
vhd convert disk.raw other.vhd --type dynamic --json >made.json
python3 - <<'END'
import json
for name in "info.json", "made.json":
    info = json.load(open(name))
    assert info["type"] == "dynamic" and info["format"] == "vhd" and info["size"] == 100 << 20, info
    assert info["blocks"] == 50 and info["allocated_blocks"] == 1 and info["block_size"] == 2 << 20, info
END

# What was made is no riddle, whatever it is called.
works vhd convert disk.raw named.img --format vhd --type dynamic --json
is "$(cat stderr)" ''
works vhd create disk.raw -o named.bin --format vhdx --type dynamic --json
is "$(cat stderr)" ''
works vhd resize named.img 200M -o resized.img --json
is "$(cat stderr)" ''
shows '"format":"vhd"' '"size":209715200'

works vhd check fixed.vhd
shows 'fixed.vhd: no problem'
works vhd check --quiet dynamic.vhd
is "$(cat stdout)" ''

# A type that does not exist, with a checksum that fits.
python3 - <<'END'
data = bytearray(open("fixed.vhd", "rb").read())
foot = data[-512:]
foot[60:64] = bytes([0, 0, 0, 9])
foot[64:68] = bytes(4)
foot[64:68] = (~sum(foot) & 0xffffffff).to_bytes(4, "big")
open("type9.vhd", "wb").write(data[:-512] + foot)
open("footer.vhd", "wb").write(foot)
END
fails 65 vhd info footer.vhd
is "$(head -n 1 stderr)" 'vhd: footer.vhd: VHD footer at byte 60: there is no type 9'
says 'hint: vhd check tells all that is wrong'
fails 1 vhd check type9.vhd
shows 'type9.vhd: VHD footer at byte 104857660: there is no type 9' 'type9.vhd: 1 problem'
fails 1 vhd check --json type9.vhd
python3 -c '
import json
report = json.load(open("stdout"))
assert report["problems"] == 1 and report["findings"][0]["offset"] == 104857660, report'
fails 65 vhd convert type9.vhd out.raw
absent out.raw

# What is no VHD at all, and what is not there.
fails 65 vhd check disk.raw
says 'disk.raw: neither begins nor ends like a VHD or VHDX' 'hint: --format vhd'
cp disk.raw lost.vhd
fails 65 vhd check lost.vhd
says 'lost.vhd: VHD footer at byte 104857088: not the expected signature' \
  'hint: vhd repair brings back what the file holds twice or can prove'
never_says 'vhd check tells'
mv lost.vhd LOST.AVHD
fails 65 vhd check LOST.AVHD
says 'LOST.AVHD: VHD footer at byte 104857088'
fails 65 vhd repair LOST.AVHD
is "$(cat stderr)" ''
fails 65 vhd check --json disk.raw
python3 -c '
import json
error = json.load(open("stderr"))
assert error["status"] == 65 and error["message_type"] == "error", error'
fails 2 vhd check missing.vhd
fails 64 vhd check
works vhd --version
works vhd --help
shows create convert info check
