#!/bin/sh
# Physical volumes that were away while their group was changed come back with texts that are no longer true: what such a
# text calls free may be another volume's. Nothing of the groups that they name is left out.
. "$(dirname "$0")/../cli/functions.sh"
. "$(dirname "$0")/guest-lvm-functions"

volume() {
  with_lvm lvcreate -an -Zn -Wn "$@"
}

# Its first disk is away.
removed() {
  with_lvm vgreduce --removemissing --force vg0
  with_lvm vgremove -f -y vg0
  with_lvm vgcreate -s 1M vg1 "$second"
  volume -L 16M -n data vg1
}

renamed() {
  with_lvm vgreduce --removemissing --force vg0
  with_lvm vgrename vg0 vgn
  volume -l 100%FREE -n new vgn
}

other_id() {
  with_lvm vgreduce --removemissing --force vg0
  with_lvm vgchange -u vg0
  volume -L 16M -n new vg0
}

# It keeps no text of its own, and the disk that does is none of those that are read.
silent() {
  with_lvm vgreduce --removemissing --force vg0
  with_lvm vgremove -f -y vg0
  with_lvm vgcreate -s 1M vg1 "$third" "$second"
  with_lvm pvchange --metadataignore y "$second"
  volume -L 16M -n data vg1 "$second"
}

for change in removed renamed other_id silent; do
  noise 24M >a.raw
  noise 24M >b.raw
  noise 24M >c.raw
  lvm_devices=
  lvm_attach a.raw
  first=$loop
  lvm_attach b.raw
  second=$loop
  lvm_attach c.raw
  third=$loop
  with_lvm pvcreate "$first" "$second" "$third"
  with_lvm vgcreate -s 1M vg0 "$first" "$second"
  volume -L 4M -n la vg0 "$first"
  volume -L 4M -n lb vg0 "$second"
  lvm_devices="\"a|^$second\$|\",\"a|^$third\$|\","
  $change
  sync -f b.raw
  for disks in 'a.raw b.raw' 'b.raw a.raw'; do
    # shellcheck disable=SC2086
    works vread --skip free,swap $disks
    mv stdout stream
    says 'volume group vg0 is read whole: ' "and may be another group's"
    rm -rf R
    vstore init -r R >/dev/null
    vstore put -q -r R --name vm <stream >/dev/null
    vrestore -q -r R --raw vm:b | cmp - b.raw
    # shellcheck disable=SC2086
    works vread --audit $disks
  done
  for device in "$first" "$second" "$third"; do detach "$device"; done
done
