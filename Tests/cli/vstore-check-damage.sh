#!/bin/sh
# After damage in a pack, the steps of vstore(1), "WHEN CHECK FINDS DAMAGE", bring a repository back in order, and check
# names that section.
. "$(dirname "$0")/functions.sh"

noise 20M >disk.raw
noise 4M 2 >other.raw
vstore init -r REPO >/dev/null
vstore put -q -r REPO --name web01 disk.raw >id
works vstore check -r REPO --read-data
is "$(size stderr)" 0
pack=$(cd REPO && ls packs/*/*)
flip "REPO/$pack" 5000

fails 1 vstore check -r REPO --read-data
shows "damage: $pack: " ' damaged'
is "$(cat stderr)" 'vstore: hint: see WHEN CHECK FINDS DAMAGE in vstore(1)'
grep -q '^\.Sh WHEN CHECK FINDS DAMAGE$' "$VPIPE_TOP/man/vstore.1"
fails 1 vstore check -q -r REPO --read-data
is "$(size stderr)" 0
fails 1 vstore check --json -r REPO --read-data
is "$(size stderr)" 0

mkdir -p REPO/quarantine
mv "REPO/$pack" REPO/quarantine/
vstore repair-index -r REPO >said
fails 1 vstore check -r REPO
shows 'damage: points/'

# A disk without the data does not help, and check tells what is short; one with it does.
vstore put -q -r REPO --no-base --name other other.raw >id
fails 1 vstore check -r REPO
shows 'volume disk: chunk '
vstore put -q -r REPO --no-base --name web01 disk.raw >id
works vstore check -r REPO --read-data
vrestore -r REPO web01~1 --raw | cmp - disk.raw
