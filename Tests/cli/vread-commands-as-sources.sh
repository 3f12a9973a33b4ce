#!/bin/sh
# A command in brackets is one source, its options are its own, and brackets that do not fit together are told; without
# libnbd there is a message that names its package, and all else works.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
fails 64 vread --list [ nbdkit --filter=x file disk.raw
says 'vread: [: the ] behind the command is missing' 'hint: a command that serves a disk: [ PROGRAM ARGUMENT... ]'
fails 64 vread --list disk.raw ']'
says 'vread: ]: there is no [ before it'
fails 64 vread --list [ ]
says 'vread: [ ]: no command is in it'
fails 64 vread --list --json [ ]
says '"message_type":"error"'
fails 64 vread --raw disk.raw [ nbdkit --nonsense disk.raw ]
says '--raw takes one source'
fails 64 vrestore -r R [ x y ] [ z ]
says 'vrestore: ' '[ z ]'
fails 64 vread [ nbdkit --filter=x ] --nonsense
says "unknown option '--nonsense'"
# In quotes it is a file's name.
cp disk.raw '[ x ]'
works vread --list '[ x ]'

echo '* without the library'
mkdir none
echo 'not a library' >none/libnbd.so.0
for source in nbd://127.0.0.1:1/ 'nbd+unix:///?socket=x'; do
  fails 2 env LD_LIBRARY_PATH=none vread --list "$source"
  says 'NBD needs the library libnbd, which cannot be loaded: ' 'hint: install it, in Debian: apt-get install libnbd0'
done
fails 2 env LD_LIBRARY_PATH=none vread --list [ touch started ]
says 'hint: install it'
absent started
fails 0 env LD_LIBRARY_PATH=none vread --list disk.raw
