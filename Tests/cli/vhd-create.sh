#!/bin/sh
# A stream becomes the same disk in each kind of image, in a file, in a redirected stdout and in a pipe.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
for type in fixed dynamic; do
  vread disk.raw | vhd create --type $type -o file.vhd
  vread disk.raw | vhd create --type $type >redirected.vhd
  vread disk.raw | vhd create --type $type | cat >piped.vhd
  : >appended.vhd
  vread disk.raw | vhd create --type $type >>appended.vhd
  vhd create --type $type disk.raw -o named.vhd
  vhd convert disk.raw converted.vhd --type $type
  for image in file redirected piped appended named converted; do
    vhd check $image.vhd
    vhd convert $image.vhd back.raw --force
    same back.raw disk.raw
    vread $image.vhd --raw | cmp - disk.raw
    is "$(size $image.vhd)" "$(size file.vhd)"
  done
  # What is zero takes no room where the file system can leave it out.
  for image in file redirected named converted back; do
    [ -e $image.vhd ] || continue
    [ "$(allocated $image.vhd)" -lt $((6 << 20)) ] || fail "$image.vhd takes $(allocated $image.vhd) bytes"
  done
  rm ./*.vhd back.raw
done

# What stands in front of an image in stdout is left alone.
{
  echo front
  vread disk.raw | vhd create --type dynamic
} >both
is "$(head -c 5 both)" front
tail -c +7 both >behind.vhd
vhd check behind.vhd
