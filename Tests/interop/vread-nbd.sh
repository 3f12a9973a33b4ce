#!/bin/sh
# A disk that a server exports by NBD reads as it is: from QEMU's and nbdkit's servers, over one connection and several,
# by URI and by a command that serves it; its holes are not read, and the command is gone when the tool is.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-nbd nbdkit nbdcopy python3 pgrep

cp --sparse=always "$(make_disk 192M 16M)" disk.raw
chmod u+w disk.raw
# The last piece is no whole sector of 4 KiB.
noise 1536 8 >>disk.raw
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
sum=$(digest disk.raw)

# reads COMMAND...: vread gives the disk's bytes.
reads() {
  is "$(vread --raw "$@" | digest)" "$sum"
}

echo '* a command that serves the disk'
reads [ nbdkit file disk.raw ]
reads [ nbdkit --exit-with-parent file disk.raw ]
reads [ qemu-nbd -r -f raw disk.raw ]
reads [ qemu-nbd -r -f qcow2 disk.qcow2 ]
reads [ qemu-nbd -r -f qcow2 -e 4 disk.qcow2 ]
reads [ nbdkit --filter=noparallel file disk.raw ]
reads [ nbdkit --filter=noextents file disk.raw ]
reads [ nbdkit --filter=multi-conn file disk.raw multi-conn-mode=disable ]
nbdcopy [ nbdkit pattern 50M ] pattern.raw
vread --raw [ nbdkit pattern 50M ] | cmp - pattern.raw
if pgrep -f "$PWD/disk" >&2; then fail 'a server is left'; fi

echo '* a URI'
qemu-nbd -r -t -f raw -x web01.img -k "$PWD/socket" disk.raw &
later kill $!
within 10 test -S socket
reads "nbd+unix:///web01.img?socket=$PWD/socket"
works vread --list --json "nbd+unix:///web01.img?socket=$PWD/socket"
shows '"name":"web01"' '"format":"raw"' "\"source\":\"nbd+unix:///web01.img?socket=$PWD/socket\""
fails 2 vread --raw "nbd+unix:///other?socket=$PWD/socket"
says 'vread: nbd+unix:///other?socket=' 'export'
fails 2 vread --raw "nbd+unix:///?socket=$PWD/none"
says 'No such file or directory'
fails 2 vread --raw nbd://127.0.0.1:1/x
says 'nbd://127.0.0.1:1/x:' 'refused'
never_says 'key'

echo '* wherever a source is taken'
works vstore init -r R
works vstore put -q -r R --name file disk.raw
before=$(du -sb R/packs | cut -f 1)
works vstore put -q -r R --name served --volume disk [ qemu-nbd -r -e 4 -f qcow2 disk.qcow2 ]
is "$(du -sb R/packs | cut -f 1)" "$before"
is "$(vrestore -r R served --raw | digest)" "$sum"
works vstore put -n -r R --name served --volume disk [ nbdkit file disk.raw ]
shows 'would add 0 chunks'
works vhd create -q -o served.vhd [ nbdkit file disk.raw ]
works vhd create -q -o file.vhd disk.raw
is "$(vread --raw served.vhd | digest)" "$(vread --raw file.vhd | digest)"
works vhd convert -q [ qemu-nbd -r -f qcow2 disk.qcow2 ] converted.raw
same disk.raw converted.raw
vread --skip swap --name a --name b [ nbdkit file disk.raw ] disk.raw >both.stream
works vstore put -q -r R --name both <both.stream

echo '* what the volume is called, and what is not told of the command'
works vread --list --json [ nbdkit file file=disk.raw ]
shows '"name":"disk"' '"source":"[ nbdkit ... ]"'
works vread --list --json [ nbdkit memory 1M ]
shows '"name":"nbdkit"' '"bytes":{"data":0,"zero":1048576}'
works vread -v [ nbdkit --filter=exportname file ./pattern.raw exportname=rosebud ]
if grep -a rosebud stdout stderr; then fail 'a secret is told'; fi

echo '* holes are not read, and nothing is read twice'
works vread --raw [ nbdkit --filter=stats file disk.raw statsfile="$PWD/stats" ]
same stdout disk.raw
within 5 grep -q '^read:' stats
data=$(qemu-img map --output=json -f raw disk.raw | python3 -c '
import json, sys
print(sum(e["length"] for e in json.load(sys.stdin) if e["data"]))')
read=$(python3 -c '
import re, sys
number, unit = re.search(r"^read: \d+ ops, [\d.]+ s, ([\d.]+) (\w+)", open(sys.argv[1]).read(), re.M).groups()
print(int(float(number) * {"bytes": 1, "KiB": 1024, "MiB": 1 << 20, "GiB": 1 << 30}[unit]))' stats)
# Recognizing formats reads a few sectors more, and figures are rounded.
[ "$read" -lt $((data + data / 50 + 1000000)) ] || fail "$read bytes were read of $data"

echo '* several connections where the server allows them, one otherwise'
vread --raw [ nbdkit --filter=log file disk.raw logfile="$PWD/log" ] | cmp - disk.raw
within 5 grep -q ' Disconnect' log
is "$(grep -c ' Connect ' log)" 4
rm log
vread --raw [ nbdkit --filter=noparallel --filter=log --filter=multi-conn file disk.raw multi-conn-mode=disable \
  logfile="$PWD/log" ] | cmp - disk.raw
is "$(grep -c ' Connect ' log)" 1

echo '* a hole that may not be zero is read'
works vread --raw [ python3 "$VPIPE_TOP/Tests/interop/nbd-server.py" disk.raw extents=hole ]
same stdout disk.raw
works vread --list [ nbdkit --filter=extentlist file disk.raw extentlist=/dev/null ]
shows ' zero, ' '(by allocation'
echo "0 $(size disk.raw) hole" >list
works vread --list [ nbdkit --filter=extentlist file disk.raw extentlist=list ]
never_says zero
reads [ nbdkit --filter=extentlist file disk.raw extentlist=list ]

echo '* sizes of requests that the server demands'
for limits in 'blocksize-minimum=4096 blocksize-preferred=65536 blocksize-maximum=131072' \
  'blocksize-minimum=65536 blocksize-preferred=65536 blocksize-maximum=65536'; do
  # Whole blocks only: what is behind the last one cannot be asked for.
  head -c 134217728 disk.raw >whole.raw
  # shellcheck disable=SC2086
  vread --raw [ nbdkit --filter=blocksize-policy file whole.raw blocksize-error-policy=error $limits ] |
    cmp - whole.raw
done
works vread --list --skip swap [ python3 "$VPIPE_TOP/Tests/interop/nbd-server.py" disk.raw minimum=512 maximum=512 ]
reads [ python3 "$VPIPE_TOP/Tests/interop/nbd-server.py" disk.raw minimum=512 maximum=32768 multi ]

echo '* an export is a device: what it looks like is asked, not guessed'
fails 64 vread --raw [ nbdkit file disk.qcow2 ]
says 'looks like qcow2' 'hint: --format qcow2 or --format raw'
reads --format qcow2 [ nbdkit file disk.qcow2 ]
vread --raw --format raw [ nbdkit file disk.qcow2 ] | cmp - disk.qcow2
