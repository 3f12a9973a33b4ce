#!/bin/sh
# Killed at whichever of its changes, `vhd resize --in-place` leaves an image that is sound, of the old size or the new one, or
# that a repair makes so; the same command then brings it to its end. Of what is in both sizes nothing is ever lost.
. "$(dirname "$0")/functions.sh"

requires cc qemu-img qemu-io
build_killat

# written IMAGE OPTION...: an image of 16 MiB by qemu, in which blocks that a smaller disk loses lie in front of others.
written() {
  _image=$1
  shift
  qemu-img create -q "$@" "$_image" 16M
  qemu-io -f "$2" -c 'write -q -P 7 12M 3M' -c 'write -q -P 1 1M 3M' -c 'write -q -P 2 8M 1536K' -c 'write -q -P 3 15M 1M' \
    "$_image"
}
written dynamic.vhd -f vpc -o subformat=dynamic,force_size=on
written dynamic.vhdx -f vhdx -o block_size=1M
written fixed.vhdx -f vhdx -o block_size=1M,subformat=fixed
qemu-img convert -f vpc -O raw dynamic.vhd disk.raw
vhd convert -q disk.raw fixed.vhd
vhd convert -q disk.raw blocks.vhd --type dynamic --block-size 64K
# A table that is as large as a block.
cp --sparse=always disk.raw large.raw
truncate -s 1100M large.raw
vhd convert -q large.raw large.vhd --type dynamic --block-size 64K
for image in dynamic.vhdx fixed.vhdx; do qemu-img compare -q -f vhdx -F raw $image disk.raw; done

mkdir in
# kept DISK COUNT: in/image holds the first COUNT bytes of this disk.
kept() {
  vhd compare --json in/image "$1" >found || [ $? = 1 ] || return 1
  _first=$(grep -o '"start" *: *[0-9]*' found | head -n 1 | tr -dc 0-9)
  [ "${_first:-$2}" -ge "$2" ]
}

# reads DISK: qemu reads it as that disk.
reads() {
  case $image:$size in
    # qemu reads all of a VHDX, holes too.
    *.vhdx:??????????*) qemu-img check -q -f vhdx in/image ;;
    *.vhdx:*) qemu-img compare -q -f vhdx -F raw in/image "$1" ;;
    *) qemu-img compare -q --image-opts driver=vpc,force_size_calc=current_size,file.filename=in/image \
      "driver=raw,file.filename=$1" ;;
  esac
}

for pair in fixed.vhd:20971520 dynamic.vhd:20971520 blocks.vhd:20971520 large.vhd:1363148800 dynamic.vhdx:20971520 \
  dynamic.vhdx:150323855360 fixed.vhdx:20971520 \
  fixed.vhd:9437696 dynamic.vhd:9437696 blocks.vhd:9437696 dynamic.vhdx:9437696 fixed.vhdx:9437696; do
  image=${pair%:*}
  size=${pair#*:}
  disk=disk.raw
  [ "$image" != large.vhd ] || disk=large.raw
  old=$(size $disk)
  least=$((old < size ? old : size))
  cp --sparse=always $disk expected.raw
  truncate -s "$size" expected.raw
  rm -f in/image
  cp --sparse=always "$image" in/image
  works "$killat" -c -v -u in -o report vhd resize --force-shrink --in-place in/image "$size"
  count=$(events report)
  repairs=0
  ! grep '^blind' report || fail 'killat cannot see all changes'
  for n in $(seq 1 "$count"); do
    # Of many blocks that become zero, one is like the other.
    if [ "$n" -gt 5 ] && [ "$n" -lt $((count - 10)) ] && [ $((n % 20)) != 0 ]; then continue; fi
    when="$image to $size, $n of $count"
    cp --sparse=always "$image" in/image
    "$killat" -k "$n" -u in -o report vhd resize --force-shrink --in-place in/image "$size" >out 2>&1 || true
    kept $disk $least || fail "$when: has lost something"
    if ! vhd check -q in/image >out; then
      repairs=$((repairs + 1))
      vhd repair --in-place in/image >out || fail "$when: cannot be repaired: $(cat out)"
      kept $disk $least || fail "$when: has lost something in the repair"
      works vhd check in/image
    fi
    now=$(vhd info --json in/image | grep -o '"size" *: *[0-9]*' | head -n 1 | tr -dc 0-9)
    [ "$now" = "$old" ] || [ "$now" = "$size" ] || fail "$when: has $now bytes"
    works vhd resize --force-shrink --in-place in/image "$size"
    works vhd check in/image
    works vhd compare --strict in/image expected.raw
    # qemu takes its time.
    if [ $(((count - n) % 3)) = 0 ]; then reads expected.raw || fail "$when: qemu reads otherwise"; fi
  done
  echo "$image to $size bytes: $count changes, $repairs times repaired"
done
