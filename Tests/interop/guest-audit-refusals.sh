#!/bin/sh
# What is wrong with the disks, folders and files given to an audit is said at once, and of the one whose fault it is.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs sgdisk mkswap e2fsck
mkdir -p tree/etc
echo text >tree/etc/text
truncate -s 16M root.raw
mke2fs -q -F -t ext4 -d tree root.raw
truncate -s 40M a.raw
sgdisk --clear -n 1:2048:+16M -t 1:8300 -n 2:0:+8M -t 2:8200 a.raw >/dev/null
put_at a.raw $((1 << 20)) <root.raw
truncate -s 8M swap.raw
mkswap -q swap.raw
noise 8000000 7 | put_at swap.raw 65536
put_at a.raw $((17 << 20)) <swap.raw
cp a.raw b.raw
noise 5M 8 >front
cat front b.raw >c.raw
truncate -s 45M c.raw
vstore init -r R >/dev/null
vstore put -q -r R --name one --skip free,swap a.raw >/dev/null
vstore put -q -r R --name two --skip free,swap a.raw c.raw >/dev/null

# Swap that was left out is called by its name.
works vstore audit -r R one a.raw
shows 'a: partition 2: skipped: passed: Linux swap, 7.94 MiB left out, header kept'
works vread --audit a.raw
shows 'a: partition 2: skipped: passed: Linux swap, 7.94 MiB left out, header kept'

# A disk of another size is not compared: no such disk was backed up.
truncate -s 1M small.raw
truncate -s 2G large.raw
cp --sparse=always a.raw longer.raw
truncate -s 41M longer.raw
for other in small large longer; do
  fails 64 vstore audit -r R one $other.raw
  says "$other: $(size $other.raw) bytes, but the point's disk a has 41943040" 'the disk that the point was made of'
  is "$(cat stdout)" ''
done
fails 64 vstore audit -r R two c.raw a.raw
says "in their order: a, c"
fails 64 vstore audit -r R two a.raw
says 'the point has 2 disks, but 1 are given'

# A disk whose table tells of more than it has.
head -c 20M a.raw >cut.raw
works vread --audit cut.raw

# Disks of one size in the wrong order: that is asked, and no checker goes on about it, which is told.
cp a.raw d.raw
noise 100000 9 | put_at d.raw 300000
vstore put -q -r R --name twins --skip free,swap a.raw d.raw >/dev/null
fails 1 vstore audit -r R twins d.raw a.raw
shows 'are the disks given in their order, a, d?'
is "$(grep e2fsck stdout)" 'a: partition 1: e2fsck: not done: bytes of it differ
d: partition 1: e2fsck: not done: bytes of it differ'
fails 1 vstore audit -r R twins --json --junit report.xml d.raw a.raw
is "$(grep e2fsck stdout | grep -c '"bytes of it differ"')" 2
grep -q 'skipped.*bytes of it differ' report.xml

# Only so many ranges are told, and that there are more.
cp a.raw spotted.raw
i=0
while [ $i -lt 30 ]; do
  flip spotted.raw $(((1 << 20) - 262144 + i * 4096))
  i=$((i + 1))
done
fails 1 vstore audit -r R one spotted.raw
is "$(grep -c '^  bytes .* differ$' stdout)" 20
shows 'and more'

# A folder or a report that cannot be made is found before anything is read.
fails 2 vread --audit --spool nowhere a.raw
says 'nowhere: ' 'no such file' 'hint: --spool'
is "$(cat stdout)" ''
fails 2 vstore audit -r R one --spool nowhere a.raw
says 'nowhere: ' 'no such file'
is "$(cat stdout)" ''
fails 2 vread --audit --junit nowhere/report.xml a.raw
says 'nowhere/report.xml'
is "$(cat stdout)" ''
echo text >report.xml
fails 64 vstore audit -r R one --junit report.xml a.raw
says 'report.xml: exists, and is no report'
is "$(cat stdout)" ''
rm report.xml
fails 2 vstore audit -r R one --junit report.xml --spool nowhere
is "$(find . -name '*.partial')" ''
absent report.xml
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mkdir -m 700 locked
  chmod 755 . ..
  chmod -R a+rX R a.raw
  fails 2 setpriv --reuid 65534 --regid 65534 --clear-groups "$(command -v vstore)" audit -r R one --spool locked
  says 'locked: open: permission denied'
fi
