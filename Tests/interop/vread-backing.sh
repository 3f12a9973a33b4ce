#!/bin/sh
# qcow2 and QED over backing files, snapshots inside of qcow2, and qcow2 with its data in another file.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io

cp --sparse=always "$(make_disk 192M 16M)" disk.raw
chmod u+w disk.raw
# reads IMAGE [OPTION...]: it reads as qemu reads it.
reads() {
  image=$1
  shift
  qemu-img convert -O raw "$image" expected.raw
  vread --raw "$@" "$image" | cmp - expected.raw || fail "$image reads wrong"
}

echo '* chains: raw, qcow2, qcow2 with subclusters, a larger one at the end'
qemu-img create -q -f qcow2 -b disk.raw -F raw one.qcow2
qemu-io -c 'write -P 1 3M 1M' -c 'write -P 2 100M 4K' -c 'write -z 32M 8M' one.qcow2 >/dev/null
reads one.qcow2
qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128K -b one.qcow2 -F qcow2 two.qcow2
qemu-io -c 'write -P 3 3148K 8K' -c 'write -P 4 60M 4K' -c 'write -z 100M 64K' two.qcow2 >/dev/null
reads two.qcow2
qemu-img create -q -f qcow2 -b two.qcow2 -F qcow2 three.qcow2 400M
qemu-io -c 'write -P 5 390M 1M' three.qcow2 >/dev/null
reads three.qcow2
works vread --list three.qcow2
shows 'three: 400 MiB'
qemu-img create -q -f qcow2 -b three.qcow2 -F qcow2 small.qcow2 100M
reads small.qcow2

echo '* over other containers'
for format in vmdk vdi vpc qed; do
  options=''
  [ $format != vpc ] || options='-o force_size'
  # shellcheck disable=SC2086
  qemu-img convert -O $format $options disk.raw base.$format
  qemu-img create -q -f qcow2 -b base.$format -F $format over.qcow2
  qemu-io -c 'write -P 6 5M 1M' over.qcow2 >/dev/null
  reads over.qcow2
done
qemu-img create -q -f qed -b base.qed -F qed over.qed
qemu-io -f qed -c 'write -P 6 5M 1M' over.qed >/dev/null
reads over.qed --backing-format qed
qemu-img create -q -f qed -b disk.raw -F raw overraw.qed
qemu-io -f qed -c 'write -P 6 5M 1M' overraw.qed >/dev/null
reads overraw.qed

echo '* a backing file of which the format is not told'
qemu-img create -q -f qcow2 -b one.qcow2 -F qcow2 untold.qcow2
# qemu-img always tells it today: the extension that does becomes one that nobody knows.
LC_ALL=C sed -i "s/$(printf '\342\171')\*$(printf '\312')/unkn/" untold.qcow2
fails 64 vread --raw untold.qcow2
says "looks like qcow2, but the image does not tell its format"
says 'hint: --backing-format says which it is'
qemu-img convert -O raw one.qcow2 expected.raw
vread --raw --backing-format qcow2 untold.qcow2 | cmp - expected.raw

echo '* snapshots inside'
qemu-img convert -O qcow2 disk.raw snap.qcow2
qemu-img snapshot -c first snap.qcow2
qemu-io -c 'write -P 1 3M 4M' snap.qcow2 >/dev/null
qemu-img convert -O raw snap.qcow2 second.raw
qemu-img snapshot -c second snap.qcow2
qemu-img resize -q snap.qcow2 400M
qemu-io -c 'write -P 2 200M 4M' snap.qcow2 >/dev/null
vread --raw --snapshot first snap.qcow2 | cmp - disk.raw
vread --raw --snapshot second snap.qcow2 | cmp - second.raw
vread --raw --snapshot 2 snap.qcow2 | cmp - second.raw
reads snap.qcow2
fails 64 vread --raw --snapshot third snap.qcow2
says "none is called 'third'"
says "hint: there are: 'first', 'second'"
fails 63 vread --raw --snapshot first disk.raw
says 'hint: --snapshot belongs to qcow2'

echo '* a data file'
for raw in on off; do
  rm -f data.raw
  qemu-img convert -O qcow2 -o data_file=data.raw,data_file_raw=$raw disk.raw split.qcow2
  reads split.qcow2
done
truncate -s 1M data.raw
fails 65 vread --raw split.qcow2
says 'is not all in the file'
rm data.raw
fails 2 vread --raw split.qcow2
says "data file 'data.raw': is not there"
