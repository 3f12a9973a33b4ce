#!/bin/sh
# A file with another format's magic is never taken for a raw disk, unless the user says that it is one.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img
noise 10K >rest
for magic in COWD WithoutFreeSpace '# Disk DescriptorFile'; do
  # shellcheck disable=SC2059
  { printf "$magic" && cat rest; } >disk.raw
  fails 63 vread disk.raw
  says 'vread: disk.raw: looks like' 'hint: --format raw'
  vread --raw --format raw disk.raw | cmp - disk.raw
done

# What looks like two formats is neither, until somebody says which: a guest can write both.
qemu-img create -q -f qcow2 inner.qcow2 1M
cp inner.qcow2 two.vhd
truncate -s 2M two.vhd
vhd convert two.vhd twice.vhd --format raw --type fixed
fails 64 vread twice.vhd
says 'looks like vhd and like qcow2' '--format'
vread --raw --format vhd twice.vhd | cmp - two.vhd
