#!/bin/sh
# A file with another format's magic is never taken for a raw disk, unless the user says that it is one.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img
noise 10K >rest
# refused STATUS MAGIC WORDS...
refused() {
  status=$1
  # shellcheck disable=SC2059
  { printf "$2" && cat rest; } >disk
  shift 2
  fails "$status" vread disk
  says "$@"
  vread --raw --format raw disk | cmp - disk
}
refused 63 WithoutFreeSpace 'vread: disk: looks like Parallels' 'hint: --format raw'
refused 63 COWD 'an extent (vmfsSparse) without the descriptor that names it is not supported'
refused 63 '\276\272\376\312\0\0\0\0' 'an extent (seSparse) without the descriptor'
refused 65 '# Disk DescriptorFile' 'disk: VMDK descriptor at byte 0'

# What looks like two formats is neither, until somebody says which: a guest can write both.
qemu-img create -q -f qcow2 inner.qcow2 1M
cp inner.qcow2 two.vhd
truncate -s 2M two.vhd
vhd convert two.vhd twice.vhd --source-format raw --type fixed
fails 64 vread twice.vhd
says 'looks like vhd and like qcow2' '--format'
vread --raw --format vhd twice.vhd | cmp - two.vhd
