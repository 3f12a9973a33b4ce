#!/bin/sh
# The cost follows the data, not the size: terabytes of nothing take no time and no memory.
. "$(dirname "$0")/../cli/functions.sh"

truncate -s 64T disk.raw 2>/dev/null || truncate -s 8T disk.raw || skip 'no large files here'
noise 1M | put_at disk.raw $(($(size disk.raw) / 2))
started=$(date +%s)
bytes=$(vread disk.raw | wc -c)
[ "$bytes" -lt 1060000 ] || fail "$bytes bytes in the stream"
vread --list --scan disk.raw >list
grep -q '1.00 MiB data, .* TiB zero' list || fail "$(cat list)"
[ $(($(date +%s) - started)) -lt 5 ] || fail 'it took seconds'
