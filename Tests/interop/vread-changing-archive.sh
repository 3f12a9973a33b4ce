#!/bin/sh
# A file that is written to while it is read in its order is told as well: on standard input, compressed, an archive.
. "$(dirname "$0")/../cli/functions.sh"

requires gzip qemu-img

noise 8M >disk.raw
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw app.vmdk
echo "<Envelope><References><File id='f' href='app.vmdk'/></References><DiskSection><Disk diskId='d' fileRef='f'/></DiskSection></Envelope>" >app.ovf
printf 'SHA256(app.ovf)= %s\nSHA256(app.vmdk)= %s\n' "$(digest app.ovf)" "$(digest app.vmdk)" >app.mf
tar --format=ustar -cf app.ova app.ovf app.mf app.vmdk
gzip -1 -c app.vmdk >app.vmdk.gz

# told FILE NAME COMMAND...: FILE is touched while COMMAND reads it, and called NAME in the message.
told() {
  file=$1
  name=$2
  shift 2
  touch -d '1 hour ago' "$file"
  "$@" 2>stderr | {
    head -c 1000000
    touch "$file"
    cat
  } >stream
  says "$name changed while it was read"
  grep -q "$name changed while it was read" stream
}
# from_file FILE ARGUMENT...: vread with FILE as its standard input.
from_file() {
  from=$1
  shift
  vread "$@" <"$from"
}

told app.vmdk 'stdin' from_file app.vmdk -
told app.ova 'stdin' from_file app.ova -
told disk.raw 'stdin' from_file disk.raw --format raw -
told app.vmdk.gz app.vmdk.gz vread app.vmdk.gz
told app.ova app.ova vread app.ova
# Files of an OVF that hold no disk are compared with the manifest, and count.
told app.mf app.mf vread app.ovf
told app.ovf app.ovf vread app.ovf

# What is a pipe has no times to go by, and nothing is told of a file that stays as it is.
# shellcheck disable=SC2002 # a pipe is what is tested
cat app.ova | works vread --raw -
never_says changed
works from_file app.ova --raw -
never_says changed
works vread --raw app.ovf
never_says changed
