#!/bin/sh
# Images that refer to files which are none of theirs: refused, and never even opened.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3 strace
strace -o /dev/null true 2>/dev/null || skip 'cannot trace: strace is not let'

mkdir in out
noise 1M 1 >out/secret.bin
cp out/secret.bin in/beside.bin
ln -s "$PWD/out/secret.bin" in/link.bin
mkfifo in/fifo

# refused STATUS IMAGE [OPTION...]: nothing of out/ or /etc or /dev is opened, nothing is read.
refused() {
  status=$1
  shift
  strace -f -e trace=open,openat,openat2,creat -o trace vread --raw "$@" >read.out 2>read.err && fail "$* was read"
  fails "$status" vread --raw "$@"
  grep -E '"(/etc/passwd|/etc/shadow|/dev/[a-z]*d[a-z]|[^"]*secret.bin)"' trace && fail "$* opened a foreign file"
  [ ! -s read.out ] || fail "$* gave bytes"
}

for path in /etc/passwd ../out/secret.bin "$PWD/out/secret.bin" link.bin; do
  echo "* $path"
  sectors=2
  printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW %s FLAT "%s" 0\n' $sectors "$path" >in/flat.vmdk
  refused 13 in/flat.vmdk
  says "extent '$path': lies in another folder than the image"
  says 'hint: --allow-references'
  # The name is put in without qemu's looking at it.
  qemu-img create -q -f qcow2 in/back.qcow2 1M
  qemu-img rebase -u -f qcow2 -F raw -b "$path" in/back.qcow2
  refused 13 in/back.qcow2
  says "parent '$path': lies in another folder than the image"
  qemu-img create -q -f qed in/back.qed 1M
  qemu-img rebase -u -f qed -F raw -b "$path" in/back.qed
  refused 13 in/back.qed
  rm -f in/data.raw
  qemu-img create -q -f qcow2 -o data_file=in/data.raw in/data.qcow2 1M
  qemu-img amend -f qcow2 -o data_file="$path" in/data.qcow2 2>/dev/null || python3 - "$path" <<'EOS'
import struct, sys
name = sys.argv[1].encode()
with open("in/data.qcow2", "r+b") as file:
    head = bytearray(file.read(65536))
    at = head.index(struct.pack(">I", 0x44415441))
    old = struct.unpack(">I", head[at + 4:at + 8])[0]
    rest = head[at + 8 + (old + 7) // 8 * 8:]
    new = struct.pack(">II", 0x44415441, len(name)) + name + b"\0" * (-len(name) % 8)
    head = (head[:at] + new + rest)[:65536]
    file.seek(0)
    file.write(head)
EOS
  refused 13 in/data.qcow2
done

echo '* devices, pipes, folders, other kinds of sources'
for path in /dev/null fifo .; do
  printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2 FLAT "%s" 0\n' "$path" >in/flat.vmdk
  refused 13 in/flat.vmdk
done
for name in 'json:{"driver":"file","filename":"beside.bin"}' nbd://localhost/x https://localhost/x; do
  qemu-img create -q -f qcow2 in/back.qcow2 1M
  qemu-img rebase -u -f qcow2 -F raw -b "$name" in/back.qcow2
  refused 13 in/back.qcow2
done

echo '* with leave'
printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "../out/secret.bin" 0\n' >in/flat.vmdk
vread --raw --allow-references out in/flat.vmdk | cmp - out/secret.bin
printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "secret.bin" 0\n' >in/flat.vmdk
vread --raw --allow-references out in/flat.vmdk | cmp - out/secret.bin
printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "link.bin" 0\n' >in/flat.vmdk
vread --raw --allow-references out in/flat.vmdk | cmp - out/secret.bin
fails 64 vread --raw --allow-references nowhere in/flat.vmdk

echo '* a link to an image stands for it'
printf '# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "beside.bin" 0\n' >in/flat.vmdk
ln -s in/flat.vmdk link.vmdk
vread --raw link.vmdk | cmp - out/secret.bin

echo '* circles and long chains'
qemu-img create -q -f qcow2 in/a.qcow2 1M
qemu-img create -q -f qcow2 in/b.qcow2 1M
qemu-img rebase -u -f qcow2 -F qcow2 -b b.qcow2 in/a.qcow2
qemu-img rebase -u -f qcow2 -F qcow2 -b a.qcow2 in/b.qcow2
refused 65 in/a.qcow2
says "is the image itself, or builds on it"
for number in $(seq 70); do
  cp in/a.qcow2 "in/chain$number.qcow2"
  [ "$number" = 1 ] || qemu-img rebase -u -f qcow2 -F qcow2 -b "chain$((number - 1)).qcow2" "in/chain$number.qcow2"
done
qemu-img rebase -u -f qcow2 -b '' in/chain1.qcow2
refused 65 in/chain70.qcow2
says 'more than 64 images'
works vread --list in/chain64.qcow2

echo '* an image on a device has nothing beside it'
[ "$(id -u)" = 0 ] || exit 0
qemu-img create -q -f qcow2 in/back.qcow2 1M
beside=$(losetup --show -f out/secret.bin) || exit 0
later "detach $beside"
for path in "$beside" "$(basename "$beside")" /etc/passwd; do
  qemu-img rebase -u -f qcow2 -F raw -b "$path" in/back.qcow2
  truncate -s %65536 in/back.qcow2
  device=$(losetup --show -f in/back.qcow2) || exit 0
  later "detach $device"
  ln -s "$device" in/linked
  for image in "$device" in/linked; do
    refused 13 --format qcow2 "$image"
    says "parent '$path': is asked for by an image on a device, which has no files beside it" 'hint: --allow-references'
  done
  rm in/linked
done
qemu-img rebase -u -f qcow2 -F raw -b beside.bin in/back.qcow2
truncate -s %65536 in/back.qcow2
device=$(losetup --show -f in/back.qcow2)
later "detach $device"
vread --raw --format qcow2 --allow-references in "$device" | cmp - out/secret.bin
