#!/bin/sh
# A restore for which there is no room fails before it writes; holes need none.
. "$(dirname "$0")/../cli/functions.sh"

requires mount umount
requires_root
mkdir small
mount -t tmpfs -o size=8m none small 2>/dev/null || skip 'cannot mount a tmpfs'
later "umount -l '$PWD/small'"
vstore init -r R >/dev/null
noise 12M >full.raw
truncate -s 300M sparse.raw
noise 1M | put_at sparse.raw 200000000
vstore put -q -r R --name full full.raw >id
vstore put -q -r R --name sparse sparse.raw >id

fails 2 vrestore -r R full -o small/out.raw
says 'small/out.raw: 12.0 MiB are needed' 'are free'
is "$(ls -A small)" ''
works vrestore -r R sparse -o small/out.raw
same small/out.raw sparse.raw
works vrestore -r R full --range 1M:2M -o small/part.raw
is "$(size small/part.raw)" 2097152
