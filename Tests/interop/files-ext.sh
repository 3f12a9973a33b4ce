#!/bin/sh
# Files come back out of a point as they were in the machine, without mounting anything: into a folder and as a tar.
# The judge is rsync, which compares content, modes, times, owners, hard links, ACLs and extended attributes.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs debugfs rsync setfattr setfacl getfacl tar
id=$(id -u)

# Everything that a tree may hold, apart from what mke2fs does not copy: times finer than a second.
mkdir -p tree/etc tree/many tree/deep
(
  cd tree
  tar -C /usr/share -cf - doc/tar doc/bash doc/gcc* 2>/dev/null | tar -xf -
  for i in $(seq 500); do echo "$i" >"many/file$i"; done
  noise 3M >./noise
  truncate -s 20M sparse
  echo end | put_at sparse 15000000
  truncate -s 1M hole
  : >empty
  ln noise many/hard
  ln noise deep/hard
  ln -s ../noise many/link
  ln -s "/nowhere/$(head -c 200 /dev/zero | tr '\0' x)" many/long-link
  echo x >"$(head -c 255 /dev/zero | tr '\0' n)"
  echo x >'ünïcødé'
  echo x >"$(printf 'no\377utf8')"
  echo x >"$(printf 'new\nline \033[31m')"
  mkfifo fifo
  place=deep
  for i in $(seq 40); do place=$place/d$i; done
  mkdir -p "$place"
  echo deep >"$place/file"
  chmod 4755 many/file1
  chmod 1777 many
  chmod 0 many/file2
  [ "$id" != 0 ] || chown 1234:100000 many/file3 many/link
  setfattr -n user.comment -v hello noise deep 2>/dev/null || true
  setfacl -m u:1000:r many/file4 2>/dev/null || true
  find . -exec touch -h -d '2001-02-03 04:05:06' {} +
)
truncate -s 96M fs.raw
mke2fs -q -F -t ext4 -d tree fs.raw
vstore init -r R >/dev/null
vstore put -q -r R --name vm fs.raw >/dev/null

# alike FOLDER: it holds what `tree` holds, apart from what is given as further options of rsync.
alike() {
  _folder=$1
  shift
  rsync -n -c -a -H -A -X --delete -i --exclude=/lost+found "$@" tree/ "$_folder/" >differences
  sed -i '/^\.d\.\.t\.* \.\/$/d' differences
  [ ! -s differences ] || fail "$_folder differs: $(head -n 5 differences)"
}

if [ "$id" = 0 ]; then
  works vrestore files -q -r R vm / -o copy
  says 'devices, fifos and sockets that are left out: 1'
  alike copy --exclude=/fifo
  [ "$(allocated copy/sparse)" -lt 100000 ] || fail 'the sparse file is not sparse'
  [ "$(allocated copy/hole)" = 0 ] || fail 'the hole is not sparse'
fi

works vrestore files -r R vm / -o -
mv stdout files.tar
never_says warning
mkdir from-tar
tar --xattrs --xattrs-include='*' -xpf files.tar -C from-tar 2>tar-says || true
if [ "$id" = 0 ]; then alike from-tar; fi
[ "$(size files.tar)" -lt $((20 << 20)) ] || fail 'holes are in the tar'

# Access control lists are there for tar's own option, too; times before 1970 have their fractions.
truncate -s 4M old.raw
mke2fs -q -F -t ext4 -I 256 old.raw
printf '%s\n' 'write tree/empty old' 'write tree/empty last' 'set_inode_field old mtime @-2' \
  'set_inode_field last mtime_lo 0xffffffff' >commands
debugfs -w -f commands old.raw >debugfs-says 2>&1
# Sixteen upper bits are nanoseconds and two more bits of the seconds: a quarter of a second, and below zero.
debugfs -w -R 'set_inode_field old mtime_extra 0x3b9aca00' old.raw >debugfs-says 2>&1
debugfs -w -R 'set_inode_field last mtime_extra 0x3b9aca00' old.raw >debugfs-says 2>&1
vstore put -q -r R --name old old.raw >/dev/null
mkdir old
vrestore files -q -r R old / -o - | tar -C old -xf - 2>/dev/null
is "$(cd old && stat -c '%n %.2Y' last old)" 'last -1.00
old -1.75'
if [ "$id" = 0 ]; then
  works vrestore files -q -r R old / -o older
  is "$(cd older && stat -c '%n %.2Y' last old)" 'last -0.75
old -1.75'
  setfacl -m u:1000:r tree/many/file4 && setfacl -d -m g:7:rx tree/deep && {
    touch -d '2001-02-03 04:05:06' tree/many/file4 tree/deep
    mke2fs -q -F -t ext4 -d tree fs.raw
    vstore put -q -r R --name lists fs.raw >/dev/null
    mkdir lists
    vrestore files -q -r R lists / -o - | tar --acls -xpf - -C lists 2>tar-says || true
    (cd lists && getfacl -n many/file4 deep) >restored
    (cd tree && getfacl -n many/file4 deep) | diff - restored || fail 'access lists are lost'
  }
fi

# Others than root own what they restore, and lend no rights.
if [ "$id" = 0 ]; then
  chmod 755 "$VPIPE_SCRATCH" .
  chmod -R a+rX R
  mkdir other
  chown 1234 other
  (
    cd /
    setpriv --reuid=1234 --regid=1234 --clear-groups "$(command -v vrestore)" files -r "$OLDPWD/R" vm /many \
      -o "$OLDPWD/other" 2>"$OLDPWD/stderr"
  )
  says 'setuid or setgid bit is not kept: 1'
  is "$(stat -c '%a %u' other/many/file1)" '755 1234'
  diff -r --no-dereference tree/many other/many >/dev/null || fail 'another user gets other content'
fi

# One file, one folder, and what is there already.
works vrestore files -r R vm /noise /many/file7 -o some
same some/noise tree/noise
same some/file7 tree/many/file7
fails 64 vrestore files -r R vm /many /noise -o some
says 'some/noise: exists' '--force'
absent some/many
echo other >some/file7
works vrestore files -r R vm /noise /many/file7 -o some --force
same some/file7 tree/many/file7
fails 64 vrestore files -r R vm /many/hard /deep/hard -o twins
says "two of the paths would become 'hard'"
fails 10 vrestore files -r R vm /many/nothing -o none
says '/many/nothing: no such file'
fails 10 vrestore files -r R vm /many/link/x -o none
says 'many/link is a symbolic link to ../noise'
fails 64 vrestore files -r R vm /many/../noise -o none
fails 64 vrestore files -r R vm /many -o R/points
says 'lies in the repository'
echo text >plain
fails 2 vrestore files -r R vm /many -o plain
status=0
vrestore files -r R vm / -o - 2>stderr >/dev/full || status=$?
is $status 2
says 'vrestore: stdout: write: no space left on device'
if [ -e /proc/self/fd ]; then
  (vrestore files -r R vm / -o - 2>/dev/null || echo $? >broken) | head -c 10000 >/dev/null
  [ -s broken ] || fail 'a broken pipe went unnoticed'
fi

# What is on the disks may be hostile: by then the process has given up what it does not need.
if python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, 0, 0, 1) < 1)' 2>/dev/null; then
  mkfifo slow
  vrestore files -q -r R vm / -o - >slow 2>/dev/null &
  process=$!
  exec 3<slow
  within 20 grep -q '^NoNewPrivs:.*1' /proc/$process/status
  cat <&3 >/dev/null
  exec 3<&-
  wait $process
fi

# Listings: all names as they are, and none that could steer a terminal.
vrestore ls -r R vm -R -0 / | LC_ALL=C sort -z | tr '\0' '|' >names
(cd tree && find . -mindepth 1 -printf '/%P\0' && printf '/lost+found\0') | LC_ALL=C sort -z | tr '\0' '|' >expected
same expected names
vrestore ls -r R vm / >names
is "$(LC_ALL=C tr -d '\40-\176\200-\377\n' <names | wc -c)" 0
works vrestore ls -r R vm -l /many
shows '-rwsr-xr-x' '2001-02-03T04:05:06Z file5' 'link -> ../noise'
works vrestore ls -r R vm --json /noise
python3 -c '
import json
entry = json.load(open("stdout"))
assert entry["path"] == "/noise" and entry["size"] == 3 << 20 and entry["links"] == 3, entry'
works vrestore ls -r R vm
shows 'the disk' 'ext4'

# Damage of the repository spoils the files that it is in, and no others.
pack=$(find R/packs -type f -size +2000k | head -n 1)
flip "$pack" 1500000
fails 65 vrestore files -q -r R vm / -o damaged
says 'noise: '
says 'does not fit its id'
[ "$(find damaged/many -type f | wc -l)" -ge 500 ] || fail 'other files are missing'
absent damaged/noise
