#!/bin/sh
# Where there is no room for an image, of whatever format, its name is told, and nothing of it is left.
. "$(dirname "$0")/functions.sh"

requires mount umount
requires_root
mkdir small
mount -t tmpfs -o size=8m none small 2>/dev/null || skip 'cannot mount a tmpfs'
later "umount -l '$PWD/small'"
noise 24M >disk.raw
head -c 24M /dev/zero >base.raw
works vhd convert base.raw base.vhd
works vstore init -r R
works vstore put -q -r R --name a disk.raw
for name in x.vhd x.vhdx x.vmdk x.qcow2 x.raw; do
  fails 2 vhd convert disk.raw small/$name
  says "vhd: small/$name: " 'no space left on device'
done
fails 2 vhd convert disk.raw small/x.qcow2 --compress deflate
fails 2 vhd diff base.vhd disk.raw -o small/x.vhd
says 'vhd: small/x.vhd: ' 'no space left on device'
fails 2 vrestore export -r R a -o small/x.ova
says 'vrestore: small/x.ova: ' 'no space left on device'
is "$(ls -A small)" ''

# The same where the file is the one behind stdout: it is emptied.
for format in vhdx vmdk qcow2; do
  status=0
  vhd convert disk.raw - --format $format >small/out 2>stderr || status=$?
  is "$status" 2
  says 'vhd: stdout: ' 'no space left on device'
  is "$(size small/out)" 0
done

# A spool file is told by its folder.
for way in 'vhd create --format qcow2 disk.raw' 'vrestore export -r R a --format ova'; do
  {
    status=0
    $way --spool small 2>stderr || status=$?
    echo "$status" >status
  } | cat >piped
  is "$(cat status)" 2
  says ': spool file in small: write: no space left on device' 'hint: --spool names another folder'
  is "$(size piped)" 0
done
