#!/bin/sh
# `-` is stdin or stdout wherever a file can be named; where that cannot work, it is refused and no file of that name
# is made or looked for.
. "$(dirname "$0")/../cli/functions.sh"

noise 5M >disk.raw
vstore init -r R >/dev/null
vread disk.raw >stream
works vstore put -q -r R --name a - <stream
vrestore -r R a --raw | cmp - disk.raw
works vhd create -o - - <stream
vread --raw disk.raw >raw
head -c 5242880 stdout | cmp - raw
works vstore known -r R -o -
[ "$(size stdout)" -gt 500 ]
works vstore baseline -r R a -o -
[ "$(size stdout)" -gt 50 ]

# A disk cannot be read from a pipe, and a file is not a stream.
fails 64 vread - <disk.raw
says 'hint:'
fails 64 vrestore -r R a -o -
says 'hint:'
absent ./-

# A list of patterns may come on stdin, unless the disk does.
printf '# what is left out\n/tmp/[x\n' >patterns
fails 64 vread --exclude-from - disk.raw <patterns
says "stdin:2: '/tmp/[x': a ] is missing"
printf '/nowhere/**\n' >patterns
works vread --exclude-from - disk.raw <patterns
says "stdin:1: '/nowhere/**': no file matches"
fails 64 vread --exclude-from - --format raw - <patterns
says '--exclude-from -: stdin is named twice' 'hint: '
fails 64 vread --exclude-from - --exclude-from - disk.raw <patterns
says 'stdin is named twice'
absent ./-
