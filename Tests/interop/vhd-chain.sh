#!/bin/sh
# check wants the parents of differencing disks: there, the right ones, and readable; info names them without opening them.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3
images="$(dirname "$0")/images.py"
small_disk disk.raw
truncate -s 40M disk.raw
make_base() {
  case $1 in
    vhd) qemu-img convert -f raw -O vpc -o force_size disk.raw base.vhd ;;
    vhdx) qemu-img convert -f raw -O vhdx -o block_size=1M disk.raw base.vhdx ;;
  esac
}
for kind in vhd vhdx; do
  make_base $kind
  cp disk.raw child.raw
  python3 -B "$images" $kind-child base.$kind child.$kind child.raw "$VPIPE_SEED"
  cp child.raw grandchild.raw
  python3 -B "$images" $kind-child child.$kind grandchild.$kind grandchild.raw "$VPIPE_SEED-2"
  works vhd check grandchild.$kind
  works vhd compare grandchild.$kind grandchild.raw
  works vhd info grandchild.$kind
  shows 'type: differencing' "parent: child.$kind" 'parent identifier: '

  mv base.$kind away.$kind
  fails 1 vhd check grandchild.$kind
  shows "grandchild.$kind: $(echo $kind | tr '[:lower:]' '[:upper:]') chain at byte 0:" 'is not there'
  works vhd check --no-parents grandchild.$kind
  works vhd info grandchild.$kind
  mkdir -p elsewhere
  mv away.$kind elsewhere/base.$kind
  works vhd check --allow-references elsewhere grandchild.$kind
  # Another disk of the same name and size.
  make_base $kind
  fails 1 vhd check grandchild.$kind
  shows 'the child was made of'
  # The right one, but damaged.
  cp elsewhere/base.$kind base.$kind
  head -c 70000 base.$kind >cut.$kind
  mv cut.$kind base.$kind
  fails 1 vhd check grandchild.$kind
  shows chain
done
