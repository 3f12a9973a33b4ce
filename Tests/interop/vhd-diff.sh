#!/bin/sh
# vhd diff: a child holds just what differs from its parent, and reads as the disk that it was made of, in a chain, too.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 cmp
reader=$(dirname "$0")/vhd_read.py
case $reader in /*) ;; *) reader=$VPIPE_TOP/$reader ;; esac

# judged CHILD DISK: the judge and our own reader find the disk in the child.
judged() {
  python3 "$reader" "$1" read.raw >chain
  cmp read.raw "$2"
  vread --raw "$1" | cmp - "$2"
  vhd check --quiet "$1"
}

# A size that is no multiple of a grain, nor of a block.
cp --sparse=always "$(make_disk 64M 8M)" first.raw
chmod u+w first.raw
truncate -s 82838016 first.raw
noise 512 1 | put_at first.raw 82837504
cp --sparse=always first.raw second.raw
# A sector, a run over two blocks, data over zeros, zeros over data, and the disk's last sector.
noise 512 2 | put_at second.raw 1049088
noise 100K 3 | put_at second.raw 4145152
noise 4K 4 | put_at second.raw 78643200
head -c 64K /dev/zero | put_at second.raw 1048576
noise 512 5 | put_at second.raw 1049088
noise 512 6 | put_at second.raw 82837504
cmp -l first.raw second.raw | awk '{ grain[int(($1 - 1) / 4096)] } END { for (g in grain) n++; print n }' >grains
cp --sparse=always second.raw third.raw
noise 3M 7 | put_at third.raw 2000384

for type in fixed dynamic; do
  rm -f ./*.vhd
  works vhd convert first.raw base.vhd --type $type
  touch -d '2024-05-06 07:08:09' base.vhd
  before=$(digest base.vhd)
  works vhd diff base.vhd second.raw -o child.vhd --json
  shows '"type":"differencing"' '"size":82838016'
  judged child.vhd second.raw
  # The last grain of the disk has but one sector.
  is "$(head -n 1 chain)" "82838016 differencing $(($(cat grains) * 8 - 7))"
  is "$(wc -l <chain)" 2
  is "$(digest base.vhd)" "$before"
  # The new disk may be an image as well; a child can be a parent.
  works vhd convert third.raw third.vhdx --type dynamic --force
  works vhd diff child.vhd third.vhdx -o grandchild.vhd
  judged grandchild.vhd third.raw
  is "$(wc -l <chain)" 3
  works vhd convert grandchild.vhd whole.vhd
  vread --raw whole.vhd | cmp - third.raw
done
if command -v vhdiinfo >/dev/null; then
  works vhdiinfo child.vhd
  shows 'Differential' 'Parent filename' 'base.vhd'
fi

# Nothing has changed.
works vhd diff base.vhd first.raw -o same.vhd
judged same.vhd first.raw
is "$(head -n 1 chain)" '82838016 differencing 0'
[ "$(size same.vhd)" -lt 8192 ]
# All has: the zeros of the new disk are there.
truncate -s 82838016 zeros.raw
works vhd diff base.vhd zeros.raw -o zeros.vhd
judged zeros.vhd zeros.raw

# Folders between them.
mkdir -p there/deep 'a folder'
mv base.vhd 'a folder/base.vhd'
works vhd diff 'a folder/base.vhd' second.raw -o there/deep/child.vhd
python3 "$reader" there/deep/child.vhd read.raw >chain
cmp read.raw second.raw
vread --raw --allow-references 'a folder' there/deep/child.vhd | cmp - second.raw
mv 'a folder/base.vhd' base.vhd

# A large disk costs what is in it.
truncate -s 1T large.raw
noise 4K | put_at large.raw 4096
works vhd convert large.raw large.vhd --type dynamic
noise 4K 9 | put_at large.raw 1099511623680
works vhd diff large.vhd large.raw -o large-child.vhd
python3 "$reader" large-child.vhd >chain
is "$(head -n 1 chain)" '1099511627776 differencing 8'

# What is refused.
truncate -s 82838528 longer.raw
fails 63 vhd diff base.vhd longer.raw -o no.vhd
says 'longer.raw: a disk of 82838528 bytes, but base.vhd has 82838016' 'hint: '
fails 65 vhd diff first.raw second.raw -o no.vhd
fails 2 vhd diff missing.vhd second.raw -o no.vhd
fails 64 vhd diff base.vhd second.raw -o -
fails 64 vhd diff base.vhd second.raw -o no.vhd --skip swap
fails 64 vhd diff base.vhd second.raw -o no.vhd --salvage
fails 64 vhd diff base.vhd second.raw -o no.vhdx
fails 64 vhd diff base.vhd second.raw -o child.vhd
says 'child.vhd: exists' 'hint: --force replaces it'
fails 64 vhd diff base.vhd second.raw -o base.vhd --force
says 'base.vhd: is the output as well'
fails 64 vhd diff base.vhd second.raw -o second.raw --force
# The parent of a parent is an input, too.
works vhd diff base.vhd second.raw -o child.vhd --force
fails 64 vhd diff child.vhd third.raw -o base.vhd --force
cp child.vhd damaged.vhd
flip damaged.vhd -100
fails 65 vhd diff damaged.vhd third.raw -o no.vhd
absent no.vhd no.vhdx
is "$(find . -name '*.partial')" ''
