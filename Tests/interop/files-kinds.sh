#!/bin/sh
# Files come back out of file systems of all kinds whose files can be read, made and filled by other people's tools.
. "$(dirname "$0")/../cli/functions.sh"

mkdir -p tree/folder/inner mounted
echo text >tree/text
noise 2M >tree/folder/noise
noise 70000 2 >"tree/folder/inner/a file with a long name and blanks.bin"
seq 200 | while read -r i; do echo "$i" >"tree/folder/inner/file$i.txt"; done
vstore init -r R >/dev/null
count=0

# restored KIND IMAGE: the image's files are those of `tree`.
restored() {
  vstore put -q -r R --name "$1" "$2" >/dev/null
  rm -rf copy from-tar
  vrestore files -q -r R "$1" / -o copy
  rm -rf copy/lost+found
  diff -r tree copy >&2 || fail "$1: other files"
  mkdir from-tar
  vrestore files -q -r R "$1" /folder -o - | tar -xf - -C from-tar
  diff -r tree/folder from-tar/folder >&2 || fail "$1: other files in the tar"
  count=$((count + 1))
}

# names_found KIND NAME: the file is there under its own name, and under that.
names_found() {
  works vrestore ls -r R "$1" /folder/inner/file7.txt
  works vrestore ls -r R "$1" "$2"
}

if command -v mkfs.vfat >/dev/null && command -v mcopy >/dev/null; then
  for bits in 12 16 32; do
    case $bits in 12) size=6M ;; 16) size=20M ;; 32) size=80M ;; esac
    rm -f fat.raw
    truncate -s "$size" fat.raw
    mkfs.vfat -F $bits fat.raw >/dev/null
    mcopy -s -i fat.raw tree/text tree/folder ::/
    restored fat$bits fat.raw
    names_found fat$bits /FOLDER/Inner/FILE7.TXT
  done
fi
if command -v mkfs.ntfs >/dev/null && command -v ntfs-3g >/dev/null && [ -e /dev/fuse ] && [ "$(id -u)" = 0 ]; then
  truncate -s 40M ntfs.raw
  mkfs.ntfs -q -F -f ntfs.raw >/dev/null 2>&1
  if ntfs-3g "$PWD/ntfs.raw" mounted; then
    later 'umount mounted 2>/dev/null'
    cp -r tree/. mounted
    umount mounted
    within 10 sh -c "! pgrep -f '[n]tfs-3g $PWD/ntfs.raw' >/dev/null"
    restored ntfs ntfs.raw
    names_found ntfs 'C:\Folder\inner\FILE7.txt'
  fi
fi
if command -v mkfs.exfat >/dev/null && command -v mount.exfat-fuse >/dev/null && [ -e /dev/fuse ] && [ "$(id -u)" = 0 ]; then
  truncate -s 40M exfat.raw
  mkfs.exfat exfat.raw >/dev/null
  loop=$(losetup -f --show exfat.raw)
  later "umount mounted 2>/dev/null; detach $loop"
  if mount.exfat-fuse "$loop" mounted >fuse.log 2>&1; then
    cp -r tree/. mounted
    umount mounted
    within 10 sh -c "! pgrep -f '[m]ount.exfat-fuse $loop' >/dev/null"
    detach "$loop"
    restored exfat exfat.raw
    names_found exfat /FOLDER/Inner/FILE7.TXT
  fi
fi
if command -v mkfs.xfs >/dev/null && [ "$(id -u)" = 0 ] && grep -qw xfs /proc/filesystems && losetup -f >/dev/null 2>&1; then
  truncate -s 320M xfs.raw
  mkfs.xfs -q xfs.raw
  mount -o loop xfs.raw mounted
  later 'umount mounted 2>/dev/null'
  cp -a tree/. mounted
  umount mounted
  restored xfs xfs.raw
  fails 10 vrestore ls -r R xfs /FOLDER
fi
[ $count -gt 0 ] || skip 'no file system could be made and filled'
