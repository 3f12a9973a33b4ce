#!/bin/sh
# With --base, segments that are as in an earlier point are sent without their bytes, and the new point is whole.
. "$(dirname "$0")/../cli/functions.sh"

truncate -s 80M disk.raw
noise 60M | put_at disk.raw 0
vstore init -r repo >/dev/null
vread disk.raw | vstore put -r repo --name web >/dev/null
vstore baseline -r repo web -o web.base

vread --base web.base disk.raw >stream
[ "$(size stream)" -lt 10000 ] || fail "$(size stream) bytes for an unchanged disk"
vstore put -r repo --name web <stream >/dev/null
vrestore -r repo web --raw | cmp - disk.raw

# A change, a segment that becomes zero, and one that was zero.
noise 100 7 | put_at disk.raw 9000000
head -c 4M /dev/zero | put_at disk.raw 20971520
noise 100 8 | put_at disk.raw 70000000
vread --base web.base disk.raw >stream
bytes=$(size stream)
if [ "$bytes" -lt 4190000 ] || [ "$bytes" -gt 4300000 ]; then fail "$bytes bytes for one changed segment"; fi
vstore put -r repo --name web <stream >/dev/null
vrestore -r repo web --raw | cmp - disk.raw

# A volume that the point does not have is read as a whole.
cp disk.raw other.raw
vread --base web.base other.raw >stream 2>stderr
is "$(cat stderr)" 'vread: warning: other: not in the baseline, which has: disk; everything is sent'
works vread --base web.base disk.raw
is "$(size stderr)" 0
vstore put -q -r repo --name two --volume root --volume a-name-of-19-bytes disk.raw other.raw >/dev/null
vstore baseline -r repo two -o two.base
works vread --base two.base disk.raw
says 'disk: not in the baseline, which has: root, a-name-of-19-bytes; everything is sent'
works vread --base two.base --name a-name-of-19-bytes other.raw
is "$(size stderr)" 0
vread --base web.base other.raw >stream 2>stderr
[ "$(size stream)" -gt 50000000 ] || fail 'something was taken for unchanged'

fails 64 vread --base web.base --raw disk.raw
fails 64 vread --base web.base --list disk.raw
head -c $(($(size web.base) - 1)) web.base >torn.base
fails 65 vread --base torn.base disk.raw
fails 65 vread --base disk.raw disk.raw
fails 2 vread --base nothing.base disk.raw
