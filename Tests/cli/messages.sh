#!/bin/sh
# What the tools say about likely mistakes: the thing that is wrong, by the name that the user knows, and what to do.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
vread disk.raw >disk.vpipe
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id

# Plain bytes where a stream belongs.
fails 65 vstore put -r R --name x <disk.raw
says 'stdin: not a stream of vpipe' 'hint: make a stream with vread, or name the disk as an argument'
fails 65 vhd create -o x.vhd <disk.raw
says 'stdin: not a stream of vpipe' '--raw-input'
fails 65 vchunk <disk.raw
says 'stdin: not a stream of vpipe' 'hint: make a stream with vread'
fails 65 vdedup -r R <disk.raw
says 'stdin: not a stream of vpipe' 'hint: make a stream with vread'
absent x.vhd

# A saved stream where a disk belongs.
for command in 'vstore put -r R --name q' vread 'vhd create -o x.vhd'; do
  # shellcheck disable=SC2086
  fails 64 $command disk.vpipe
  says 'disk.vpipe: a saved stream, not a disk' 'hint: give it on stdin: < disk.vpipe'
done
fails 64 vhd convert disk.vpipe x.vhd
says 'disk.vpipe: a saved stream, not a disk'
works vread --format raw disk.vpipe
works vstore put -r R --name q - <disk.vpipe
absent x.vhd

# Folders where a file belongs.
mkdir folder
works vhd convert disk.raw disk.vhd
fails 64 vrestore -r R a -o folder
says 'vrestore: folder: is a folder'
fails 64 vhd convert disk.vhd folder
says 'vhd: folder: is a folder'
fails 64 vread --list folder
says 'folder: is a folder, not a disk' 'hint: name the image in it, or the .ovf'

# Addresses that are not read, and devices that are the output as well as the input.
fails 64 vread --list http://host/disk.raw
says 'http://host/disk.raw: neither a file nor an address' 'hint: vread takes nbd://' '[ nbdkit curl url=... ]'
fails 64 vhd info nbd://host
says 'nbd://host: neither a file nor an address' 'hint: vread takes nbd://'
fails 64 sh -c 'vread - </dev/null >/dev/null'
never_says 'output as well'
says 'stdin: '

# A VHD that lost its footer.
works vhd convert --type dynamic disk.raw dynamic.vhd
truncate -s -512 dynamic.vhd
fails 65 vread --list dynamic.vhd
says 'VHD footer at byte' 'hint: vhd check tells all that is wrong, vhd repair'

# Repositories.
fails 2 vstore init -r R
says 'vstore: R: a repository is there already'
fails 2 vstore init -r nowhere/b/c
is "$(cat stderr)" 'vstore: nowhere/b/c: mkdir: no such file or directory'
fails 10 vstore list -r R nosuch
says 'vstore: R: no point is called nosuch'
works vstore list -r R a
shows ' a '

# A repository that may not be written to is named.
if [ "$(id -u)" = 0 ]; then
  command -v setpriv >/dev/null || exit 0
  chmod -R go+rX "$VPIPE_SCRATCH"
  if setpriv --reuid 65534 --clear-groups "$VPIPE_BIN/vread" --version >/dev/null 2>&1; then
    fails 2 setpriv --reuid 65534 --clear-groups "$VPIPE_BIN/vstore" put -q -r R --name a disk.raw
    says 'vstore: R: '
    never_says 'put: '
  fi
else
  chmod a-w R/writers
  fails 2 vstore put -q -r R --name a disk.raw
  says 'vstore: R: '
  chmod u+w R/writers
fi
