#!/bin/sh
# Patterns: what matches nothing is told, what is left out is named, and what is read whole in spite of them has a reason.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs debugfs sgdisk mkswap
mkdir -p tree/etc tree/tmp tree/var/cache/apt tree/root
noise 300K 1 >tree/var/cache/apt/large
noise 8K 2 >tree/var/cache/apt/small
printf 'few bytes' >tree/tmp/tiny
noise 64K 3 >tree/etc/secret
printf 'LABEL=root / ext4 defaults 0 1\n' >tree/etc/fstab
ln -s /etc tree/root/docs
mkdir tree/links
noise 8K 4 >tree/links/00
for number in $(seq 10 40); do ln tree/links/00 "tree/links/$number"; done
noise 64K 5 | cat - >tree/swapfile
truncate -s 1M tree/swapfile
chmod 600 tree/swapfile
mkswap -q tree/swapfile >/dev/null 2>&1
noise 900K 6 | put_at tree/swapfile 102400
truncate -s 16M root.raw
mke2fs -q -F -t ext4 -b 1024 -L root -d tree root.raw

# Own patterns that match nothing are told, once, and where they are from; those of sets are not.
printf '\357\273\277/tmp/tiny\r\n# nothing\r\n  /var/cache/** \t\r\n\r\n/Var/Cache/**\r\n' >list
works vread --list --exclude /nowhere --exclude '/root/docs/**' --exclude '/links/**' --exclude /links/10 --exclude-from list \
  --exclude-set temp --exclude-set trash --exclude './tmp' root.raw
says "warning: --exclude: '/nowhere': no file matches" "warning: --exclude: '/root/docs/**': no file matches" \
  "warning: list:5: '/Var/Cache/**': no file matches" "warning: --exclude: './tmp': no file matches"
is "$(grep -c 'no file matches' stderr)" 4
# Hard links are told in their order, with the number of the others.
grep 'is not left out: it has other names' stderr | sed 's|.*/links/\([0-9]*\) .*|\1|' >links
is "$(wc -l <links)" 20
is "$(head -n 1 links)" 00
sort -c links
says '12 more files are not left out'
vstore init -r R >/dev/null
works vstore put -q -r R --name a --exclude /nowhere root.raw
says "--exclude: '/nowhere': no file matches"
works vhd create -o a.vhd --exclude /nowhere root.raw
says "--exclude: '/nowhere': no file matches"
works vread --list --format raw - --exclude /nowhere --exclude /tmp/tiny <root.raw
says "--exclude: '/nowhere': no file matches"
never_says tiny

# What is left out is counted where bytes are lost, and named.
works vread --list -v --exclude '/var/**' --exclude /tmp root.raw
shows 'files left out: 3' '/var/cache/apt/large: ' '/var/cache/apt/small: ' '/swapfile: ' ' excluded' ' swap' \
  'as --skip zero,free,swap would leave out'
if grep tiny stdout; then fail 'a file that loses nothing is named'; fi
works vread --list --json --exclude '/var/**' --skip zero root.raw
python3 - <<'P'
import json
disk = json.load(open('stdout'))['volumes'][0]
assert disk['skip'] == ['zero'] and disk['skipped_files'] == 2, disk
assert [file['path'] for file in disk['skipped']] == ['/var/cache/apt/large', '/var/cache/apt/small'], disk
assert sum(file['bytes'] for file in disk['skipped']) == disk['bytes']['excluded'], disk
P
works vread --list --skip zero root.raw
if grep 'would leave out' stdout; then fail 'what was said needs no remark'; fi

# The fstab of a root stays, whatever is excluded.
truncate -s 16M blocks.raw
mke2fs -q -F -t ext4 -b 4096 -L root -d tree blocks.raw
vread --raw --exclude /etc blocks.raw >left.raw
debugfs -R 'dump /etc/fstab fstab' left.raw 2>/dev/null
same fstab tree/etc/fstab
debugfs -R 'dump /etc/secret secret' left.raw 2>/dev/null
is "$(digest secret)" "$(head -c 64K /dev/zero | digest)"

# Without exclusions, too, a swap file that is read for a doubt is told; and a pattern is not wrong for it.
cp root.raw running.raw
debugfs -w -R 'set_super_value state 0' running.raw 2>/dev/null
works vread --list --skip free,swap running.raw
says '/swapfile is not left out'
works vread --list --skip swap --exclude /tmp running.raw
says 'no file is left out'
never_says 'no file matches'

# What is encrypted is read whole, and so told wherever something was to be left out.
truncate -s 40M disk.raw
sgdisk -n 1:2048:+16M -n 2:0:+16M -n 3:0:0 disk.raw >/dev/null
put_at disk.raw 1048576 <root.raw
printf 'LUKS\272\276\0\2' | put_at disk.raw $((17 << 20))
printf 'H+\0\4' | put_at disk.raw $(((33 << 20) + 1024))
works vstore put -q -r R --name b --skip free disk.raw
says 'partition 2: LUKS2 is read whole: encrypted' 'partition 3: HFS+ is read whole: vpipe does not know what is free in it'
is "$(grep -c 'read whole' stderr)" 2
works vhd create -v --skip free,swap --exclude '/var/**' --exclude /nowhere -o b.vhd disk.raw
says 'LUKS2 is read whole' 'disk: ' ' data, ' ' free, ' ' swap, ' ' excluded' 'no file matches where files can be looked for'
works vhd convert -v --skip free b.vhd c.vhdx
says 'b: ' ' free'
works vread --list --skip none disk.raw
never_says 'read whole'
noise 1M >noise.raw
works vread --list noise.raw
never_says 'read whole'
