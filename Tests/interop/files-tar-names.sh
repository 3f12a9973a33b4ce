#!/bin/sh
# Nothing in a tar lies beneath a link that is in it too, or has its name, whatever the guest's folders say: extractors
# would follow the link into any folder of theirs.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs python3 sgdisk tar
mkdir -p outside tree/FFFF/deep tree/dir/AAAA tree/twice
echo pwn >tree/FFFF/pwn
echo pwn >tree/FFFF/deep/pwn
echo good >tree/dir/good
echo pwn >tree/dir/AAAA/pwn
echo first >tree/twice/one
echo second >tree/twice/two
ln tree/dir/good tree/twice/own
ln -s "$PWD/outside" tree/EEEE
ln -s "$PWD/outside" tree/dir/BBBB
truncate -s 16M fs.raw
mke2fs -q -F -t ext4 -b 1024 -O ^metadata_csum,^dir_index -d tree fs.raw
python3 - <<'END2'
content = bytearray(open('fs.raw', 'rb').read())
for old, new in [(b'FFFF', b'EEEE'), (b'AAAA', b'BBBB'), (b'own', b'one'), (b'two', b'one')]:
    place = max(content.find(bytes([len(old), kind]) + old) for kind in (1, 2))
    assert place > 0, old
    content[place + 2:place + 2 + len(old)] = new
open('same-name.raw', 'wb').write(content)
END2
vstore init -r R >/dev/null
vstore put -q -r R --name same same-name.raw >/dev/null

# apart FILE: nothing in the tar comes after a link of its name or of a folder's name above it.
apart() {
  python3 - "$1" <<'END2'
import sys, tarfile
links = set()
for member in tarfile.open(sys.argv[1]):
    name = member.name.rstrip('/')
    parts = name.split('/')
    for count in range(1, len(parts) + 1):
        assert '/'.join(parts[:count]) not in links, name
    if member.issym():
        links.add(name)
END2
  # The most trusting way to extract.
  mkdir extracted
  python3 - "$1" <<'END2'
import sys, tarfile
tar = tarfile.open(sys.argv[1])
try:
    tar.extractall('extracted', filter='fully_trusted')
except TypeError:
    tar.extractall('extracted')
END2
  is "$(ls -A outside)" ''
}

for paths in / '/EEEE /dir /twice' '/twice /dir'; do
  # shellcheck disable=SC2086
  fails 3 vrestore files -q -r R same $paths -o -
  says '/dir/BBBB: another one has this name: left out' '/twice/one: another one has this name: left out'
  cp stdout tar
  apart tar
  rm -r extracted
  tar -tf tar >names
  is "$(sed 's|/$||' names | sort | uniq -d)" ''
  grep -q 'dir/good$' names || fail 'good files are missing'
done
fails 3 vrestore files -q -r R same / -o -
says '/EEEE: another one has this name: left out'

# The same where another file system comes into a folder that is restored before it: names of both meet there.
mkdir -p root/etc root/data/sub/deep root/mnt people/EEEE people/sub/deep/LINK people/GOOD more
cat >root/etc/fstab <<'END2'
UUID=11111111-0000-4000-8000-000000000001 / ext4 defaults 0 1
LABEL=people /data ext4 defaults 0 2
LABEL=more /mnt/more ext4 defaults 0 2
END2
echo hidden >root/data/hidden
echo hidden >root/data/sub/hidden
echo old >root/data/notes
ln -s "$PWD/outside" root/data/EEEE
ln -s "$PWD/outside" root/data/sub/deep/LINK
rmdir root/mnt
ln -s "$PWD/outside" root/mnt
echo pwn >people/EEEE/pwn
echo pwn >people/sub/deep/LINK/pwn
echo good >people/GOOD/file
echo new >people/notes
echo good >people/sub/deep/file
echo pwn >more/pwn
for name in root people more; do
  truncate -s 12M $name.raw
  set -- -L $name
  [ $name != root ] || set -- -U 11111111-0000-4000-8000-000000000001
  mke2fs -q -F -t ext4 -d $name "$@" $name.raw
done
truncate -s 40M disk.raw
sgdisk -n 1:2048:+12M -n 2:0:+12M -n 3:0:+12M disk.raw >/dev/null
put_at disk.raw $((1 << 20)) <root.raw
put_at disk.raw $((13 << 20)) <people.raw
put_at disk.raw $((25 << 20)) <more.raw
vstore put -q -r R --name vm disk.raw >/dev/null
fails 3 vrestore files -q -r R vm / /data /mnt/more -o -
says '/data/EEEE: another one has this name: left out' '/data/sub/deep/LINK: another one has this name: left out'
cp stdout tar
apart tar
tar -tf tar >names
for name in data/hidden data/sub/hidden data/GOOD/file data/sub/deep/file etc/fstab; do
  grep -qx "$name" names || fail "$name is missing"
done
is "$(cat extracted/data/notes)" new
if grep pwn names; then fail 'a folder of a name that was there is in the tar'; fi
