#!/bin/sh
# What is not a repository's own does neither mislead a writer nor come to harm.
. "$(dirname "$0")/../cli/functions.sh"

noise 3M >disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id

# A pack that was moved aside is gone: its chunks are stored again.
for folder in R/packs/??; do mv "$folder" "R/packs/moved-${folder##*/}"; done
fails 65 vrestore -r R a --raw
vstore put -q -r R --name b disk.raw >id
vrestore -r R b --raw | cmp - disk.raw

# Links in writers/ are not followed, names that are no writer's are left alone.
mkdir victim
: >victim/precious
ln -s "$PWD/victim" R/writers/link
ln -s "$PWD/victim" "R/writers/$(printf '%032d' 0)"
: >R/writers/.alive
works vstore put -r R --name c disk.raw
[ -e victim/precious ] || fail 'a file outside the repository was deleted'
[ -e R/writers/.alive ] || fail 'a file that is no writer'\''s was deleted'

# Points have numbers; after the last one nothing can be committed.
: >"R/points/1125899906842624-$(printf '%064d' 0)"
fails 65 vstore put -r R --name d disk.raw
says 'the last number'
is "$(size stdout)" 0

# A config that is gone and a copy that is damaged are damage, not the lack of a repository.
vstore init -r S >/dev/null
rm S/config
flip S/copies/config 20
fails 65 vstore list -r S
says 'copies/config'
rm S/copies/config
fails 10 vstore list -r S
