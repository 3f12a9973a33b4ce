#!/bin/sh
# A file whose name says one thing and whose content another is never read as what nobody meant: neither an image that
# has lost its signature as a raw disk, nor a raw disk as what the machine in it wrote to its start.
# shellcheck disable=SC2094 # a name in a message is no file that is read
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img gzip xz bzip2 zstd zip python3

noise 3M >disk.raw
truncate -s 8M disk.raw

# lost NAME: each tool that reads it says that it is not what its name says; who says that it is raw gets it.
lost() {
  fails 65 vread "$1"
  says "$1: image at byte 0: its name says" 'hint: --format raw reads it as it is'
  fails 65 vread --list "$1"
  fails 65 vhd info "$1"
  says "$1: image at byte 0: its name says" 'hint: --format raw'
  fails 65 vhd convert "$1" new.raw
  says 'its name says' 'hint: --source-format raw'
  fails 65 vhd create -o new.vhd "$1"
  fails 65 vhd compare "$1" disk.raw
  says 'its name says' 'hint: --first-format raw'
  fails 65 vhd compare disk.raw "$1"
  says 'hint: --second-format raw'
  fails 65 vhd ranges "$1"
  fails 65 vstore put -r R --name lost "$1"
  says 'its name says'
  absent new.raw new.vhd
  vread --raw --format raw "$1" | cmp - "$1"
}

echo '* an image without its signature is no raw disk'
vstore init -r R
for kind in vmdk qcow2 qed vhdx vpc vdi; do
  name=image.$kind
  [ $kind != vpc ] || name=image.vhd
  qemu-img convert -f raw -O $kind disk.raw $name
  vread --raw $name | cmp -n 8M - disk.raw
  # Wherever the format has its signature: the first sector, the last one, the copy.
  head -c 512 /dev/zero | put_at $name 0
  [ $kind != vpc ] || truncate -s -512 $name
  lost $name
done
cp disk.raw upper.VMDK
lost upper.VMDK
for name in old.qcow snap.avhdx snap.avhd app.ova app.ovf app.ova.gz app.tar.gz app.tgz app.zip disk.vmdk.xz; do
  cp disk.raw $name
  lost $name
done
# A fixed VHD without its footer begins as its disk does, whatever that is.
qemu-img create -q -f qcow2 inner.qcow2 4M
cp inner.qcow2 fixed.vhd
fails 65 vread fixed.vhd
says 'its name says vhd, but its content looks like qcow2' 'hint: --format qcow2 or --format raw'

echo '* what a VMDK in several files is made of, is raw'
for name in web-flat.vmdk web-f001.vmdk; do
  cp disk.raw $name
  vread --raw $name | cmp - disk.raw
done
for name in web-s001.vmdk web-flat.qcow2 web-f01.vmdk; do
  cp disk.raw $name
  fails 65 vread $name
done
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk.raw flat.vmdk
vread --raw flat.vmdk | cmp - disk.raw

echo '* a backing file of which nobody tells the format'
qemu-img create -q -f qed some.qed 8M
qemu-img create -q -f qed -b some.qed -F qed over.qed
cp disk.raw some.qed
fails 65 vread over.qed
says 'its name says qed' 'hint: --backing-format raw'
vread --raw --backing-format raw over.qed | cmp - disk.raw

echo '* a machine writes to the start of its disk what it likes'
tar -cf some.tar disk.raw
zip -q some.zip disk.raw
for tool in gzip xz bzip2 zstd; do $tool -q -c disk.raw >some.$tool; done
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw some.vmdk
qemu-img convert -f raw -O vdi disk.raw some.vdi
qemu-img convert -f raw -O vhdx disk.raw some.vhdx
qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk.raw some-flat-descriptor.vmdk
for file in inner.qcow2 some.tar some.zip some.gzip some.xz some.bzip2 some.zstd some.vmdk some.vdi some.vhdx \
  some-flat-descriptor.vmdk; do
  names=guest.img
  [ $file != inner.qcow2 ] || names='guest.raw guest.img guest.bin guest.dd guest.ISO guest-flat.vmdk guest-f012.vmdk'
  for name in $names; do
    cp $file "$name"
    fails 64 vread "$name"
    says "$name: image at byte 0: a raw disk by its name whose content looks like" 'hint: --format '
    fails 64 vread --list "$name"
    vread --raw --format raw "$name" | cmp - $file
  done
  # What only tells what is there, tells it.
  case $file in
    some.tar | some.zip | some.gzip | some.xz | some.bzip2 | some.zstd) fails 63 vhd info guest.img ;;
    *) works vhd info guest.img ;;
  esac
  says 'guest.img: ' 'which'
  fails 64 vhd convert guest.img new.raw
  says 'hint: --source-format '
  fails 64 vstore put -r R --name guest guest.img
  absent new.raw
done
cp inner.qcow2 guest.img
says 'whose content looks like'
vread --raw --format qcow2 guest.img | cmp -n 4M - /dev/zero

echo '* so it does in a disk that was compressed'
for file in inner.qcow2 some.tar some.vmdk; do
  gzip -c $file >guest.img.gz
  fails 64 vread guest.img.gz
  says 'a raw disk by its name whose content looks like'
  gzip -c $file >guest.vhd.gz
  fails 65 vread guest.vhd.gz
  says 'its name says vhd, but its content looks like'
done
gzip -c inner.qcow2 >good.qcow2.gz
works vread --raw good.qcow2.gz
never_says warning

echo '* and in an archive, where the files have names, too'
# pack MEMBER FILE: an OVA of that one disk.
pack() {
  cp "$2" "member-$1" && mv "member-$1" "$1"
  echo "<Envelope><References><File id='f' href='$1'/></References><DiskSection><Disk diskId='d' fileRef='f'/></DiskSection></Envelope>" >app.ovf
  rm -f app.ova
  tar --format=ustar -cf app.ova app.ovf "$1"
}
for case in a.vmdk:disk.raw:65 a.qcow2:disk.raw:65 a.img:inner.qcow2:64 a.raw:some.vmdk:64 a.vmdk:some.gzip:65 a.vmdk:inner.qcow2:65; do
  file=${case#*:}
  pack "${case%%:*}" "${file%:*}"
  for source in app.ova - app.ovf; do
    fails "${case##*:}" vread --raw $source <app.ova
    says 'image at byte 0: ' 'hint: unpack it'
  done
done
pack a.img disk.raw
vread --raw app.ova | cmp - disk.raw
vread --raw - <app.ova | cmp - disk.raw

echo '* a name that says nothing is told of; standard input has none'
cp inner.qcow2 plain
works vread --raw plain
says 'warning: plain: taken as qcow2, which its content looks like; --format raw takes it as it is'
works vread --raw --format qcow2 plain
never_says warning
works vread --raw - <inner.qcow2
never_says warning
cp disk.raw plain
works vread --raw plain
never_says warning
