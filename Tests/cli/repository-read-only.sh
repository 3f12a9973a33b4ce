#!/bin/sh
# A repository that cannot be written to, on a read-only mount or medium, is still listed, checked and restored from.
. "$(dirname "$0")/../cli/functions.sh"

requires mount umount
requires_root
noise 5M >disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id
mkdir medium
{ mount --bind R medium && mount -o remount,bind,ro medium; } 2>/dev/null || skip 'cannot mount'
later "umount -l '$PWD/medium'"

works vstore list -r medium
works vstore show -r medium a
works vstore stats -r medium
works vstore check -r medium --read-data
works vstore known -r medium -o known
works vstore baseline -r medium a -o baseline
vrestore -r medium a --raw | cmp - disk.raw
vread disk.raw | vchunk -r medium | vdedup -r medium >stream
vstore put -q -r R --name b <stream >id
fails 2 vstore put -r medium --name c disk.raw
says 'read-only file system'
is "$(vstore list -r medium --json | wc -l)" 2

# The same without the index, which is a cache.
rm -r R/index
vrestore -r medium a --raw | cmp - disk.raw
fails 2 vstore repair-index -r medium
