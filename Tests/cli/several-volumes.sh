#!/bin/sh
# Several disks make one point: through the pipe or by name, under their own names or given ones, and each comes back.
. "$(dirname "$0")/../cli/functions.sh"

noise 5M 1 >root.raw
small_disk data.raw
truncate -s 1G empty.raw
: >none.raw
noise 4097 2 >last.img

vstore init -r R >/dev/null
vread root.raw data.raw empty.raw none.raw last.img | vchunk | vdedup -r R | vstore put -q -r R --name piped >id
vstore put -q -r R --name direct root.raw data.raw empty.raw none.raw last.img >id
for name in piped direct; do
  works vstore list -r R --json $name
  shows '"volumes":["root","data","empty","none","last"]'
  works vstore show -r R $name
  shows root data empty none last
  for disk in root.raw data.raw empty.raw none.raw last.img; do
    vrestore -r R "$name:${disk%.*}" --force -o out.raw
    same out.raw $disk
  done
  vrestore -r R $name:last --raw | cmp - last.img
  vrestore -r R $name:data | vstore put -q -r R --name one >id
  vrestore -r R one --raw | cmp - data.raw
  vrestore -r R $name | vstore put -q -r R --name copy >id
  vrestore -r R copy:root --raw | cmp - root.raw
  vrestore -r R copy:last --raw | cmp - last.img

  # Which of them is to be asked.
  fails 64 vrestore -r R $name --raw
  says '5 volumes' 'hint: pick one' 'root, data, empty, none, last'
  fails 64 vrestore -r R $name -o all.raw
  absent all.raw
  fails 10 vrestore -r R $name:other --raw
done
vread root.raw data.raw >stream
fails 64 vhd create -o out.vhd <stream
absent out.vhd
works vhd create --disk data -o out.vhd <stream
vread --raw out.vhd | cmp -n "$(size data.raw)" - data.raw

vstore put -q -r R --name named --volume os --volume 'my data' root.raw data.raw >id
vrestore -r R 'named:my data' --raw | cmp - data.raw
vrestore -r R named:os --raw | cmp - root.raw
vread --name os --name data root.raw data.raw | vstore put -q -r R --name named >id
vrestore -r R named:os --raw | cmp - root.raw
fails 64 vstore put -r R --name a --volume x root.raw data.raw
mkdir other
cp data.raw other/root.raw
fails 64 vstore put -r R --name a root.raw other/root.raw
says 'two volumes would be called root'

# A disk that joins or leaves is no reason to store the others again.
works vstore put --json -r R --name direct last.img root.raw
shows '"added_bytes":0,'
works vstore put --json -r R --name direct root.raw last.img data.raw empty.raw none.raw
shows '"added_bytes":0,'
vrestore -r R direct:data --raw | cmp - data.raw
vrestore -r R direct~1:root --raw | cmp - root.raw
