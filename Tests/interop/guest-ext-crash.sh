#!/bin/sh
# A disk that was cut from its power while ext3 or ext4 was busy: free space is skipped, the journal replayed, and each file
# that fsync had promised is there.
. "$(dirname "$0")/../cli/functions.sh"

requires nbdkit nbdfuse fusermount3 python3 mke2fs e2fsck dumpe2fs
requires_mount ext4
[ -e /dev/fuse ] || skip 'no /dev/fuse'

# replayed IMAGE NUMBER: replay its journal, and count in $lost the files that were promised and are not there.
replayed() {
  status=0
  e2fsck -fp "$1" >e2fsck.log 2>&1 || status=$?
  [ $status -le 1 ] || {
    e2fsck -fy "$1" >>e2fsck.log 2>&1 || :
  }
  mkdir -p looked
  lost=0
  if mount -o loop,ro "$1" looked 2>/dev/null; then
    lost=$(cd looked && sha256sum -c --quiet "../promised.$2" 2>/dev/null | wc -l)
    umount looked
  else
    lost=$(wc -l <"promised.$2")
  fi
}

# without_copies IMAGE: zero what the bitmaps in their places call free, as one would who knows nothing of the journal.
without_copies() {
  dumpe2fs "$1" 2>/dev/null | python3 -c '
import re, sys
size = 0
with open(sys.argv[1], "r+b") as image:
    for line in sys.stdin:
        name, _, value = line.partition(":")
        if name == "Block size": size = int(value)
        if name == "  Free blocks":
            for run in re.findall(r"(\d+)(?:-(\d+))?", value):
                start, end = int(run[0]), int(run[1] or run[0])
                image.seek(start * size)
                image.write(bytes((end + 1 - start) * size))' "$1"
}

# disconnect: end the busy mount and what serves it.
disconnect() {
  umount busy 2>/dev/null || :
  [ -z "$device" ] || detach "$device"
  device=
  fusermount3 -u fuse 2>/dev/null || :
  [ ! -e pid ] || kill "$(cat pid)"
  wait
  rm -f socket pause pid
}
device=
later disconnect

# crash NAME COUNT OPTION...: so many crash states of one file system.
crash() {
  name=$1
  count=$2
  shift 2
  rm -f disk
  truncate -s 96M disk
  mke2fs -q -F "$@" disk
  nbdkit -P pid -U "$PWD/socket" --filter=pause file disk pause-control="$PWD/pause"
  mkdir -p fuse busy
  nbdfuse fuse/disk "nbd+unix:///?socket=$PWD/socket" &
  within 5 test -e fuse/disk
  device=$(losetup -f --show fuse/disk)
  mount "$device" busy
  python3 "$VPIPE_TOP/Tests/interop/crash-states.py" busy disk pause "$count"
  disconnect
  for number in $(seq 0 $((count - 1))); do look "$number"; done
}

# look NUMBER: compare what comes back of a crash state with what was promised.
look() {
  promised=$((promised + $(wc -l <"promised.$1")))
  works vread --skip zero,free --list --json "state.$1"
  skipped=$(python3 -c 'import json; print(json.load(open("stdout"))["volumes"][0]["bytes"].get("free", 0))')
  if [ "$skipped" -gt 0 ]; then understood=$((understood + 1)); else says 'read whole'; fi
  states=$((states + 1))
  works vread --skip zero,free --raw "state.$1"
  mv stdout copy
  cp --sparse=always "state.$1" naive
  without_copies naive
  replayed "state.$1" "$1"
  [ "$lost" = 0 ] || fail "$name: without vpipe $lost files are lost: the test is wrong"
  replayed copy "$1"
  [ "$lost" = 0 ] || fail "$name: state $1: $lost files are lost"
  [ $status -le 1 ] || fail "$name: state $1: e2fsck: $(cat e2fsck.log)"
  e2fsck -fn copy >e2fsck.log 2>&1 || fail "$name: state $1: e2fsck -n: $(cat e2fsck.log)"
  replayed naive "$1"
  if [ "$lost" -gt 0 ] || [ $status -gt 1 ]; then naive=$((naive + 1)); fi
  rm -f copy naive "state.$1" "promised.$1"
}

states=0 understood=0 naive=0 promised=0
each=2
[ "${VPIPE_ALL:-0}" = 1 ] && each=10
crash ext4 $each -t ext4 -b 4096 -J size=4
crash groups $each -t ext4 -b 1024 -J size=2 -g 2048
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  crash ext3 $each -t ext3 -b 2048 -J size=4
  crash clusters $each -t ext4 -b 1024 -O bigalloc -C 8192 -J size=4
  crash meta $each -t ext4 -b 1024 -O meta_bg,^resize_inode,^flex_bg,uninit_bg,^metadata_csum -g 1024 -J size=2
fi
echo "$states crash states, $understood with free space skipped, $promised files promised, none lost"
echo "without the journal's copies of bitmaps, $naive of them would have been damaged"
[ "$understood" = "$states" ] || fail 'some were read whole'
[ "${VPIPE_ALL:-0}" != 1 ] || [ "$naive" -gt 0 ] || fail 'the test cannot fail'
