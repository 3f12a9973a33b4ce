#!/bin/sh
# What vrestore export refuses, and what it leaves behind when it fails: nothing.
. "$(dirname "$0")/functions.sh"

small_disk a.raw
truncate -s 1M b.raw
works vstore init -r R
works vstore put -q -r R --name two a.raw b.raw
works vstore put -q -r R --name one a.raw

fails 64 vrestore export -r R one -o image
says 'no format is named' 'hint: --format takes one of'
fails 64 vrestore export -r R two -o x.qcow2
says 'it has 2 volumes' 'hint: pick one with POINT:VOLUME, of a, b'
fails 10 vrestore export -r R two:c -o x.qcow2
fails 10 vrestore export -r R nobody -o x.ova
fails 64 vrestore export -r R one -o x.vdi
fails 64 vrestore export -r R one -o x.vmdk --format ova
says 'x.vmdk: the name of a VMDK, but an OVA would be in it'
fails 64 vrestore export -r R one -o x.vmdk --digest sha1
fails 64 vrestore export -r R one -o x.ova --digest md5
fails 64 vrestore export -r R one -o x.ova --type fixed
fails 64 vrestore export -r R one -o x.ova --compress zstd
absent x.qcow2 x.ova x.vmdk x.vdi image

echo old >there.ova
fails 64 vrestore export -r R one -o there.ova
says 'there.ova: exists' 'hint: --force replaces it'
is "$(cat there.ova)" old
works vrestore export -r R two -o there.ova --force
is "$(tar -tf there.ova | tr '\n' ' ')" 'two.ovf two.mf two-disk1.vmdk two-disk2.vmdk '

# A point that has the name of a command.
works vstore put -q -r R --name export a.raw
vrestore restore -r R export --raw | cmp - a.raw
works vrestore export -r R export -o export.raw
same export.raw a.raw

# A damaged chunk: no file, and nothing out of a pipe that builds before it writes.
for pack in R/packs/*/*; do
  chmod u+w "$pack"
  flip "$pack" 70000
done
for name in x.ova x.vmdk x.vhdx x.qcow2; do
  fails 65 vrestore export -r R two:a -o $name
  absent $name
done
{
  status=0
  vrestore export -r R two --format ova 2>stderr || status=$?
  echo "$status" >status
} | cat >piped
is "$(cat status)" 65
is "$(size piped)" 0
status=0
vrestore export -r R two --format ova >redirected 2>stderr || status=$?
is "$status" 65
is "$(size redirected)" 0
is "$(find . -name '*.partial' -o -name '*.spool')" ''
