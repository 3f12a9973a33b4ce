#!/bin/sh
# A file that exists is replaced only with --force, and only by a whole one.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
noise 5M >disk.raw
vstore put -q -r R --name a disk.raw >id

echo precious >out.raw
fails 64 vrestore -r R a -o out.raw
says 'vrestore: out.raw: exists' 'hint: --force replaces it'
is "$(cat out.raw)" precious
ln -s nowhere link.raw
fails 64 vrestore -r R a -o link.raw
fails 64 vrestore -r R a -o .
fails 64 vrestore -r R a -o /dev/null
fails 2 vrestore -r R a -o no/such/folder.raw

fails 10 vrestore -r R nobody --force -o out.raw
is "$(cat out.raw)" precious
for pack in R/packs/*/*; do
  flip "$pack" $(($(size "$pack") / 2))
done
fails 65 vrestore -r R a --force -o out.raw
is "$(cat out.raw)" precious
for pack in R/packs/*/*; do
  flip "$pack" $(($(size "$pack") / 2))
done
works vrestore -r R a --force -o out.raw
same out.raw disk.raw
is "$(find . -maxdepth 1 -name '*out.raw*')" ./out.raw

# The repository's own objects are never a target, by whatever way their folder is named.
object=$(find R/packs -type f | head -n 1)
ln -s R/packs way
for target in "$object" "way/${object#R/packs/}" R/new.raw; do
  fails 64 vrestore -r R a --force -o "$target"
  says 'lies in the repository that is read'
  fails 64 vrestore export -r R a --force --format raw -o "$target"
  says 'lies in the repository that is read'
done
absent R/new.raw
works vstore check -r R --read-data
