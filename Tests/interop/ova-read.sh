#!/bin/sh
# An OVA gives the machine's disks, by name and by a pipe, in any wrapping, with the OVF and the manifest beside them.
# shellcheck disable=SC2002 # pipes are what is tested
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3 openssl zip xz bzip2 zstd gzip

cp --sparse=always "$(make_disk 64M 8M)" one.raw
chmod u+w one.raw
truncate -s 40M two.raw
noise 2M 2 | put_at two.raw 3M
noise 512 3 | put_at two.raw 41942528
for disk in one two; do
  qemu-img convert -f raw -O vmdk -o subformat=streamOptimized $disk.raw "app-$disk.vmdk"
done

# descriptor FILE:CAPACITY[:ATTRIBUTE]...: an OVF of these disks, in the file app.ovf.
descriptor() {
  {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">'
    echo '<References>'
    number=0
    for disk; do
      number=$((number + 1))
      echo "$disk" | {
        IFS=: read -r file _ attribute
        echo "<File ovf:id=\"file$number\" ovf:href=\"$file\" ovf:size=\"$(size "$file")\" $attribute/>"
      }
    done
    echo '</References><DiskSection><Info>Disks</Info>'
    number=0
    for disk; do
      number=$((number + 1))
      rest=${disk#*:}
      echo "<Disk ovf:diskId=\"vmdisk$number\" ovf:fileRef=\"file$number\" ovf:capacity=\"${rest%%:*}\""
      echo ' ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>'
    done
    echo '</DiskSection></Envelope>'
  } >app.ovf
}
# manifest ALGORITHM FILE...: in the file app.mf, as openssl makes it.
manifest() {
  algorithm=$1
  shift
  openssl dgst "-$algorithm" "$@" | sed 's/^SHA\([0-9]*\)(/SHA\1(/; s/^SHA2-/SHA/' >app.mf
}
# both FILE: gives both disks by name, and by a pipe in one pass without anything to save.
both() {
  for number in 0 1; do
    disk=one
    [ $number = 0 ] || disk=two
    vread --raw --disk $number "$1" | cmp - $disk.raw || fail "$1: $disk by name"
    cat "$1" | vread --raw --spool /nonexistent --disk app-$disk - | cmp - $disk.raw || fail "$1: $disk by a pipe"
  done
}

descriptor app-one.vmdk:67108864 app-two.vmdk:41943040
manifest sha256 app.ovf app-one.vmdk app-two.vmdk
tar --format=ustar -cf app.ova app.ovf app.mf app-one.vmdk app-two.vmdk
both app.ova
works vread --list app.ova
shows 'app-one: 64.0 MiB (67108864 bytes), vmdk, GPT' 'app-two: 40.0 MiB (41943040 bytes), vmdk'
never_says warning
cat app.ova | works vread --list --json -
shows '"name":"app-two"' '"source":"stdin: app-two.vmdk"'

echo '* through a pipe into a VHD, as qemu-img reads the disk inside'
cat app.ova | vread --disk app-one - | vhd create -q --type dynamic >one.vhd
qemu-img compare -q -f vpc -F vmdk one.vhd app-one.vmdk
vread app.ova | vhd create -q --disk app-two -o two.vhd
qemu-img compare -q -f vpc -F vmdk two.vhd app-two.vmdk
works vhd create -q --disk 1 -o named.vhd app.ova
qemu-img compare -q -f vpc -F vmdk named.vhd app-two.vmdk
works vhd convert -q --disk vmdisk1 app.ova converted.raw
same converted.raw one.raw
fails 64 vhd create -o none.vhd app.ova
says 'several disks: app-one, app-two' '--disk'
fails 64 vread --raw app.ova
fails 64 vread --raw - <app.ova
says 'app-one and app-two' '--disk'
fails 64 vread --raw --disk other app.ova
says 'no disk is called other' 'app-one, app-two'
absent none.vhd

echo '* one point of all disks, with the descriptor'
vstore init -r R >/dev/null
works vstore put -q -r R --name app app.ova
vread - <app.ova | works vstore put -q -r R --name app
works vstore show -r R app --json
shows '"app.ovf"' '"app.mf"'
vrestore -r R app:app-one --raw | cmp - one.raw
vrestore export -q -r R app --format ova -o exported.ova
vread --raw --disk 0 exported.ova | cmp - one.raw
cat exported.ova | vread --raw --spool /nonexistent --disk 1 - | cmp - two.raw
vrestore -r R app~1:app-two --raw | cmp - two.raw
vread --name root --name data app.ova | works vstore put -q -r R --name named
vrestore -r R named:data --raw | cmp - two.raw
fails 64 vread --name root app.ova
cp app.ova other.ova
vread app.ova other.ova | works vstore put -q -r R --name twice
vrestore -r R twice:other-app-two --raw | cmp - two.raw

echo '* the OVF by its name, with its files beside it'
mkdir unpacked
cp app.ovf app.mf app-one.vmdk app-two.vmdk unpacked
vread --raw --disk app-two unpacked/app.ovf | cmp - two.raw
vread unpacked/app.ovf | works vstore put -q -r R --name folder
works vstore show -r R folder --json
shows '"app.ovf"' '"app.mf"'
vrestore -r R folder:app-one --raw | cmp - one.raw
printf X | put_at unpacked/app-two.vmdk 70001
fails 65 vread --disk app-one unpacked/app.ovf
says 'app-two.vmdk'
mv unpacked/app-two.vmdk two.vmdk
fails 2 vread unpacked/app.ovf
says "unpacked/app.ovf: file 'app-two.vmdk': is not there"
ln -s "$PWD/app-two.vmdk" unpacked/app-two.vmdk
fails 13 vread unpacked/app.ovf
says "file 'app-two.vmdk': lies in another folder" 'hint: --allow-references'
works vread --allow-references . unpacked/app.ovf
cp unpacked/app.ovf unpacked/other.ovf
fails 65 vread --allow-references . --disk 0 unpacked/app.mf --format ova
works vread --allow-references . --list unpacked/other.ovf

echo '* wrapped'
for how in 'bzip2 -1 -c' 'zstd -q -c' 'xz -0 -c' 'gzip -1 -c'; do
  $how app.ova >app.wrapped
  vread --raw --spool /nonexistent --disk 1 - <app.wrapped | cmp - two.raw
done
both app.wrapped
zip -q -0 stored.zip app.ovf app.mf app-one.vmdk app-two.vmdk
zip -q -1 deflated.zip app.ovf app.mf app-one.vmdk app-two.vmdk
both stored.zip
vread --raw --disk 0 - <deflated.zip | cmp - one.raw
gzip -c app.wrapped >twice.gz
fails 63 vread --raw twice.gz

echo '* manifests'
for algorithm in sha1 sha512; do
  manifest $algorithm app.ovf app-one.vmdk app-two.vmdk
  tar --format=gnu --owner=0 -cf app.ova app.ovf app-one.vmdk app-two.vmdk app.mf
  both app.ova
done
sed 's/^SHA512(/SHA-512 (/; s/)= /) = /; s/$/\r/' app.mf >dos && mv dos app.mf
tar --format=pax -cf app.ova app.ovf app.mf app-one.vmdk app-two.vmdk
both app.ova
tar -cf app.ova ./app.ovf ./app-one.vmdk ./app-two.vmdk
both app.ova
head -n 2 app.mf >few && mv few app.mf
tar -cf app.ova app.ovf app.mf app-one.vmdk app-two.vmdk
works vread app.ova
says 'warning: app.ova: app-two.vmdk is not in the manifest'
works vread - <app.ova
says 'app-two.vmdk is not in the manifest'

echo '* names, other formats, compressed disks, other sizes'
long=$(printf 'a%.0s' $(seq 120))
mv app-one.vmdk "disk (1) of $long.vmdk"
qemu-img convert -f raw -O vpc -o force_size two.raw 'größe.vhd'
descriptor "disk (1) of $long.vmdk:1" 'größe.vhd:41943040'
manifest sha256 app.ovf "disk (1) of $long.vmdk" 'größe.vhd'
for format in gnu pax; do
  tar --format=$format -cf app.ova app.ovf app.mf "disk (1) of $long.vmdk" 'größe.vhd'
  vread -q --raw --disk 0 app.ova | cmp - one.raw
  vread -q --raw --disk 'größe' app.ova | cmp - two.raw
  vread -q --raw --disk 1 - <app.ova | cmp - two.raw
done
works vread app.ova
says 'the disk has 67108864 bytes, but the OVF tells of 1'
rm disk*

for format in vhdx qcow2 raw vmdk; do
  qemu-img convert -f raw -O $format two.raw disk.$format
  descriptor disk.$format:41943040
  tar -cf app.ova app.ovf disk.$format
  vread --raw app.ova | cmp - two.raw || fail "$format by name"
  vread --raw - <app.ova | cmp - two.raw || fail "$format by a pipe"
done
mkdir spool
fails 2 vread --spool spool --spool-limit 1M - <app.ova
says 'no more than 1048576 bytes' '--spool-limit'
is "$(ls spool)" ''

gzip -c app-two.vmdk >packed.vmdk.gz
mv packed.vmdk.gz packed.vmdk
descriptor 'packed.vmdk:41943040:ovf:compression="gzip"'
manifest sha256 app.ovf packed.vmdk
tar -cf app.ova app.ovf app.mf packed.vmdk
vread --raw app.ova | cmp - two.raw
vread --raw --spool /nonexistent - <app.ova | cmp - two.raw

# A pipe shows the disk before it shows whose it is.
descriptor app-two.vmdk:41943040
tar -cf app.ova app-two.vmdk app.ovf
vread --raw app.ova | cmp - two.raw
fails 63 vread - <app.ova
says 'app-two.vmdk comes before the OVF' 'hint: '
