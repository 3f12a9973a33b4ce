#!/bin/sh
# A disk with several file systems: what is left out is told, named and proven, before there is a point and after.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs mkfs.fat mcopy mkntfs ntfscp sgdisk mkswap e2fsck fsck.fat ntfsfix xmllint
mkdir -p tree/etc tree/var/cache/apt tree/tmp
cp -r "$VPIPE_TOP/Sources/GuestLayouts" tree/var/lib
noise 3M 1 >tree/var/cache/apt/archive.deb
noise 2M 2 >"tree/tmp/a file"
noise 4M 3 | tail -c +4097 >rest
truncate -s 4M tree/swapfile
chmod 600 tree/swapfile
mkswap -q tree/swapfile >/dev/null 2>&1
head -c 4096 tree/swapfile | cat - rest >swap
cat swap >tree/swapfile
printf '%s\n' 'UUID=56504950-0000-4000-8000-000000000002 / ext4 defaults 0 1' >tree/etc/fstab

truncate -s 32M root.raw data.raw fat.raw
mke2fs -q -F -t ext4 -L root -U 56504950-0000-4000-8000-000000000002 -d tree root.raw
# What was deleted: noise in all free blocks of the second half.
free=$(dumpe2fs root.raw 2>/dev/null | awk '/^  Free blocks: .*-/ { split($NF, ends, "-"); print ends[1], ends[2] }' | tail -n 1)
block=$(dumpe2fs -h root.raw 2>/dev/null | sed -n 's/^Block size: *//p')
noise $(((${free#* } - ${free% *}) * block)) 4 | put_at root.raw $((${free% *} * block))
mkntfs -q -F -L data data.raw >/dev/null 2>&1
noise 2M 5 >pagefile
noise 1M 6 >kept
ntfscp -q -f data.raw pagefile pagefile.sys >/dev/null
ntfscp -q -f data.raw kept kept >/dev/null
mkfs.fat -F 16 -n EFI fat.raw >/dev/null
mcopy -i fat.raw kept ::/kept
truncate -s 100M disk.raw
sgdisk --clear -n 1:2048:+32M -t 1:ef00 -n 2:0:+32M -t 2:8300 -n 3:0:+32M -t 3:0700 disk.raw >/dev/null
for part in fat:1 root:33 data:65; do
  dd if=${part%:*}.raw of=disk.raw bs=1M seek=${part#*:} conv=notrunc,sparse status=none
done

works vread --list disk.raw
shows 'FAT16 "EFI"' 'ext4 "root" 56504950-0000-4000-8000-000000000002' 'NTFS "data"' 'free' 'swap' 'files left out: 2'
works vread --list --json disk.raw
python3 - <<'END'
import json
disk = json.load(open('stdout'))['volumes'][0]
used = [part['contents'][0]['used'] for part in disk['table']['partitions']]
assert all(1 << 20 < bytes < 32 << 20 for bytes in used), used
assert disk['bytes']['free'] > 16 << 20 and disk['bytes']['swap'] > 5 << 20, disk['bytes']
END

exclude="--exclude /var/cache --exclude /tmp"
# shellcheck disable=SC2086
works vread --audit $exclude --junit report.xml disk.raw
shows 'disk: bytes: passed' 'disk: partition 1: files: passed' 'disk: partition 1: fsck.fat: passed' \
  'disk: partition 2: files: passed' '3 left out on purpose' 'disk: partition 2: e2fsck: passed' \
  'disk: partition 3: files: passed' 'disk: partition 3: ntfsfix: passed'
xmllint --noout report.xml
is "$(xmllint --xpath 'string(/testsuites/@failures)' report.xml)" 0

vstore init -r R >/dev/null
# shellcheck disable=SC2086
vstore put -q -r R --name vm --skip free,swap --exclude "/var/cache/**" --exclude "*/a file" disk.raw >/dev/null
vstore put -q -r R --name vm-whole disk.raw >/dev/null
works vstore show -r R --holes vm
shows '/swapfile' '/pagefile.sys' '/var/cache/apt/archive.deb' '/tmp/a file' 'disk free'
works vstore show -r R --holes --json vm
python3 -c 'import json; assert {json.loads(line).get("file") for line in open("stdout")} >= {"/tmp/a file"}'
works vstore audit -r R vm
shows 'disk: partition 2: files: passed' 'are all there, 3 left out on purpose' 'e2fsck: passed'
works vstore audit -r R vm disk.raw
shows 'disk: bytes: passed'

# Restored: the checkers agree, and what was left out on purpose is all that is gone.
vrestore -q -r R --raw vm >copy.raw
for part in fat:1 root:33 data:65; do
  dd if=copy.raw of=copy-${part%:*} bs=1M skip=${part#*:} count=32 status=none
done
e2fsck -fn copy-root >log 2>&1 || fail "$(cat log)"
fsck.fat -n copy-fat >log 2>&1 || fail "$(cat log)"
ntfsfix -n copy-data >log 2>&1 || fail "$(cat log)"
debugfs -R 'cat /var/cache/apt/archive.deb' copy-root 2>/dev/null >archive.deb
is "$(size archive.deb)" "$(size tree/var/cache/apt/archive.deb)"
# Blocks of 1 KiB: of what begins or ends within 4 KiB of the disk, those are kept.
tail -c +4097 archive.deb | head -c 3100000 >inner
head -c 3100000 /dev/zero | cmp - inner
debugfs -R 'cat /var/lib/GuestLayout.swift' copy-root 2>/dev/null | cmp - tree/var/lib/GuestLayout.swift
debugfs -R 'cat /swapfile' copy-root 2>/dev/null | head -c 4096 | cmp - tree/swapfile -n 4096
ntfscat copy-data kept | cmp - kept

# A file of the original that is another now is found, and tells its path.
cp --sparse=always disk.raw other.raw
place=$(debugfs -R 'blocks /var/lib/GuestLayout.swift' root.raw 2>/dev/null | cut -d ' ' -f 1)
flip other.raw $((33 * 1048576 + place * block))
fails 1 vstore audit -r R vm other.raw
shows 'disk: bytes: failed' '/var/lib/GuestLayout.swift: its content differs'
fails 64 vstore audit -r R vm disk.raw other.raw
# A disk of another size is none of the point's, whether something lies beyond its end or not.
truncate -s 1M small.raw
cp --sparse=always disk.raw large.raw
truncate -s +1M large.raw
for name in small large; do
  fails 64 vstore audit -r R vm $name.raw
  says "$name: $(size $name.raw) bytes, but the point's disk disk has $(size disk.raw)"
done
fails 64 vread --audit --raw disk.raw
fails 64 vread --junit x.xml disk.raw

# A picture is an SVG with a name for each partition and each kind.
works vread --list --picture disk.svg disk.raw
xmllint --noout disk.svg
grep -q '2: ext4 root' disk.svg
grep -q 'free in its file system' disk.svg
fails 64 vread --list --picture disk.svg disk.raw
says 'disk.svg: exists'
fails 64 vread --list --picture - disk.raw
says '--picture -: a picture goes into a file'
absent ./-
works vstore show -r R --picture point.svg vm
shows 'name:     vm'
xmllint --noout point.svg
grep -q '2: ext4 root' point.svg
grep -q 'excluded files' point.svg
# Five kinds and their numbers: letters of seven points each end within the picture, and so do their rows.
python3 - <<'END'
import re
text = open('point.svg').read()
width, height = map(int, re.search(r'<svg .*? width="(\d+)" height="(\d+)"', text).groups())
keys = [(int(x), int(y), key) for x, y, key in re.findall(r'<text x="(\d+)" y="(\d+)">(.*?)</text>', text)]
assert len(keys) == 5, keys
assert all(x + 7 * len(key) <= width - 16 and y + 5 <= height for x, y, key in keys), keys
END
fails 64 vstore show -r R --picture point.svg vm
says 'point.svg: exists'
