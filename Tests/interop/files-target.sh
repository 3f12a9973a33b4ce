#!/bin/sh
# A target that cannot take the files is refused before anything is written, by its own name.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs
mkdir -p root/etc/inner
echo text >root/etc/inner/text
echo name >root/name
truncate -s 12M disk.raw
mke2fs -q -F -t ext4 -d root disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name vm disk.raw >/dev/null

# Something else has the name.
mkdir -p there/name elsewhere
ln -s ../elsewhere there/etc
fails 64 vrestore files -r R vm /etc -o there --force
says 'there/etc: is no folder, and in the way of a folder' 'hint: move it away'
rm there/etc
echo file >there/etc
fails 64 vrestore files -r R vm /etc -o there --force
says 'there/etc: is no folder'
fails 64 vrestore files -r R vm /name -o there --force
says 'there/name: is a folder, and in the way of a file'
is "$(cat there/etc)" file
is "$(ls elsewhere)" ''
# Deeper down it costs what belongs there, and no more.
rm there/etc
mkdir there/etc
echo file >there/etc/inner
fails 3 vrestore files -q -r R vm /etc /lost+found -o there --force
says '/etc/inner: what has its name in the target is no folder'
is "$(cat there/etc/inner)" file

# A folder that cannot be written to.
fails 2 vrestore files -r R vm /etc -o nowhere/folder
says 'nowhere/folder: ' 'no such file'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mkdir -m 755 rootonly
  chmod 755 . ..
  chmod -R a+rX R
  fails 2 setpriv --reuid 65534 --regid 65534 --clear-groups "$(command -v vrestore)" files -r R vm /etc -o rootonly
  says 'rootonly: open: permission denied'
  never_says '/etc'
fi

# A command's name that is nearly right.
fails 64 vrestore sl vm
says 'sl: no such command' 'vrestore ls is close to it'
fails 64 vrestore file vm /etc
says 'file: no such command' 'vrestore files is close to it'
fails 64 vrestore vm /etc
says "unexpected argument '/etc'"
