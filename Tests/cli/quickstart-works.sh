#!/bin/sh
# What the README promises of scripts/quickstart, with tools that are built already: it backs up the disk it is given,
# only reads it, and leaves nothing behind; with --keep it leaves the folder that it names. Wrong calls are told.
. "$(dirname "$0")/../cli/functions.sh"

quickstart=$VPIPE_TOP/scripts/quickstart
tools=${VPIPE_BIN:-$(dirname "$(command -v vhd)")}
TMPDIR=$PWD/tmp
export TMPDIR
mkdir tmp

requires mkfs.ext4 qemu-img
mkdir files
cp -r "$VPIPE_TOP/Sources" "$VPIPE_TOP/docs" files
truncate -s 64M disk.raw
mkfs.ext4 -q -d files disk.raw
chmod a-w disk.raw
before=$(digest disk.raw)

works "$quickstart" --from "$tools" disk.raw
shows 'vstore put' 'vrestore' 'Images are identical' 'no damage'
is "$(digest disk.raw)" "$before"
is "$(ls -A tmp)" ''

works "$quickstart" --keep --from "$tools" disk.raw
is "$(find tmp -name '*.vhd' | wc -l)" 1

fails 64 "$quickstart" --nonsense
fails 64 "$quickstart" --from /nowhere
fails 64 "$quickstart" disk.raw disk.raw
fails 2 "$quickstart" --from "$tools" nowhere.raw
says 'cannot be read'
