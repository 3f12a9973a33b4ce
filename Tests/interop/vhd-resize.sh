#!/bin/sh
# resize: the old bytes stay, new ones are zeros, data is not cut off unasked; check and qemu-img agree with the result.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
small_disk disk.raw
truncate -s 40M disk.raw
vhd convert disk.raw fixed.vhd
vhd convert disk.raw dynamic.vhd --type dynamic
vhd convert disk.raw small-blocks.vhd --type dynamic --block-size 64K
qemu-img convert -f raw -O vpc -o force_size disk.raw qemu.vhd
qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw dynamic.vhdx
qemu-img convert -f raw -O vhdx -o block_size=1M,subformat=fixed disk.raw fixed.vhdx

# resized IMAGE SIZE EXPECTED: in a copy and in place; sound, and of these bytes.
resized() {
  rm -f copy
  works vhd resize "$1" "$2" -o copy
  works vhd check copy
  works vhd compare --strict copy "$3"
  cp --sparse=always "$1" placed
  works vhd resize --in-place placed "$2"
  works vhd check placed
  works vhd compare --strict placed "$3"
  # qemu reads all of a VHDX, holes too.
  case $1:$(($(size "$3") >> 30)) in
    *.vhdx:0) qemu-img check -q -f vhdx copy && qemu-img compare -q -f vhdx -F raw copy "$3" ;;
    *.vhdx:*) qemu-img check -q -f vhdx copy ;;
    *) qemu-img compare -q --image-opts driver=vpc,force_size_calc=current_size,file.filename=copy \
      "driver=raw,file.filename=$3" ;;
  esac
}

for size in 41M 41943552 100M 600M; do
  cp disk.raw expected.raw
  truncate -s "$size" expected.raw
  for image in fixed.vhd dynamic.vhd small-blocks.vhd qemu.vhd dynamic.vhdx fixed.vhdx; do
    resized $image "$(bytes "$size")" expected.raw
  done
done

echo '* a table that no longer fits where it is'
cp disk.raw expected.raw
truncate -s 8G expected.raw
resized dynamic.vhd 8G expected.raw
resized small-blocks.vhd 8G expected.raw
truncate -s 1T expected.raw
resized dynamic.vhdx 1T expected.raw
cp copy tib.vhdx
truncate -s 2T expected.raw
resized tib.vhdx 2T expected.raw

echo '* smaller: only zeros may go'
head -c 12587008 disk.raw >expected.raw
for image in fixed.vhd dynamic.vhd small-blocks.vhd dynamic.vhdx; do
  resized $image 12587008 expected.raw
  cp $image before
  fails 13 vhd resize --in-place $image 8M
  says 'holds data behind the wanted end of 8388608 bytes' '--force-shrink'
  same $image before
  fails 13 vhd resize $image 8M
  absent $image.resized
  works vhd resize --force-shrink $image 8389120
  works vhd check $image.resized
  head -c 8389120 disk.raw >less.raw
  works vhd compare --strict $image.resized less.raw
  # What was cut off does not come back.
  truncate -s 40M less.raw
  works vhd resize --in-place $image.resized 40M
  works vhd compare --strict $image.resized less.raw
  works vhd check $image.resized
done
[ "$(size small-blocks.vhd.resized)" -lt "$(size small-blocks.vhd)" ] || fail 'a smaller image takes no less room'

echo '* what cannot be'
fails 63 vhd resize fixed.vhd 1000
fails 63 vhd resize dynamic.vhd 3T
fails 63 vhd resize dynamic.vhdx 65T
fails 64 vhd resize fixed.vhd big
cp dynamic.vhd bad.vhd
flip bad.vhd 50
fails 65 vhd resize bad.vhd 50M
says 'checksum is'

echo '* the backup of a GPT is told'
cp --sparse=always "$(make_disk 64M 8M)" gpt.raw
chmod u+w gpt.raw
vhd convert gpt.raw gpt.vhd
works vhd resize gpt.vhd 100M
if vread --list gpt.raw | grep -q gpt; then says 'the backup of the disk'; fi

echo '* a VHD inside of the disk is data, not what an interrupted change of size left'
truncate -s 4M zeros.raw
vhd convert -q zeros.raw zeros.vhd
truncate -s 8M nest.raw
tail -c 512 zeros.vhd | put_at nest.raw 4194304
for format in 'vhd --type fixed' 'vhd --type dynamic' vhdx; do
  # shellcheck disable=SC2086
  vhd convert -q --force --format $format nest.raw nest.image
  fails 13 vhd resize --force nest.image 4M
  says 'holds data behind the wanted end'
done
