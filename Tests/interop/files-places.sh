#!/bin/sh
# Paths are looked for where the machine has them: through the fstab of its root, over partitions and disks; files that
# the backup does not hold are told, and never restored as zeros.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs debugfs sgdisk
mkdir -p root/etc root/home root/var/cache boot/grub home/joe spare/etc spare/data
cat >root/etc/fstab <<'END2'
UUID=11111111-0000-4000-8000-000000000001 / ext4 defaults 0 1
UUID=11111111-0000-4000-8000-000000000002 /boot ext4 defaults 0 2
LABEL=people /home ext4 defaults 0 2
END2
echo root >root/etc/name
noise 300K 5 >root/var/cache/blob
noise 200K 6 >root/etc/kept
echo grub >boot/grub/grub.cfg
echo joe >home/joe/notes
echo spare >spare/etc/name
echo data >spare/data/file

# file_system FOLDER NUMBER OPTION...: an image of 12 MiB.
file_system() {
  truncate -s 12M "$1.raw"
  _name=$1
  _uuid=11111111-0000-4000-8000-00000000000$2
  shift 2
  mke2fs -q -F -t ext4 -U "$_uuid" -d "$_name" "$@" "$_name.raw"
}
file_system root 1
file_system boot 2
file_system home 3 -L people
file_system spare 4
truncate -s 40M sda.raw
sgdisk -n 1:2048:+12M -n 2:0:+12M sda.raw >/dev/null
put_at sda.raw $((1 << 20)) <boot.raw
put_at sda.raw $((13 << 20)) <root.raw
cp home.raw sdb.raw
cp spare.raw sdc.raw
vstore init -r R >/dev/null
vstore put -q -r R --name vm --volume sda --volume sdb --volume sdc sda.raw sdb.raw sdc.raw >/dev/null

works vrestore ls -r R vm
shows '/boot' '/home' 'partition 2 of sda'
vrestore files -q -r R vm /etc/name /boot/grub /home/joe/notes /data/file -o copy
same copy/name root/etc/name
same copy/grub/grub.cfg boot/grub/grub.cfg
same copy/notes home/joe/notes
same copy/file spare/data/file
works vrestore ls -r R vm /home
is "$(cat stdout)" 'joe
lost+found'
vrestore files -q -r R vm /etc/name --volume sdc -o spare-copy
same spare-copy/name spare/etc/name
vrestore files -q -r R vm:2 /etc/name -o spare-copy-2
same spare-copy-2/name spare/etc/name
vrestore files -q -r R vm /grub/grub.cfg --volume 0 --partition 1 -o boot-copy
same boot-copy/grub.cfg boot/grub/grub.cfg
fails 10 vrestore files -r R vm /etc/name --partition 7 -o none
says 'partition 7: no such place for a file system' 'hint: files are in partition 1 of sda, partition 2 of sda'
absent none/name
fails 10 vrestore ls -r R vm /etc --volume sdb --partition 2
says 'partition 2 of sdb: no such place'
fails 10 vrestore ls -r R vm /etc --logical-volume vg0/root
says 'logical volume vg0/root: no such place'
fails 10 vrestore ls -r R vm '/etc/*'
says 'patterns are not taken here'

# Other file systems are not gone into, which is told; named as well, they come to their places.
works vrestore files -r R vm / -o whole
says 'note: /boot and /home are other file systems, and were not gone into'
is "$(ls whole/home)" ''
works vrestore files -r R vm /home / -o whole-2
says 'note: /boot is another file system, and was not gone into'
same whole-2/home/joe/notes home/joe/notes
same whole-2/etc/name root/etc/name
works vrestore files -r R vm / /boot/grub /home /etc -o whole-3
never_says note
same whole-3/boot/grub/grub.cfg boot/grub/grub.cfg
same whole-3/home/joe/notes home/joe/notes
vrestore files -q -r R vm / /boot /home -o - >whole.tar
mkdir from-tar
tar -xf whole.tar -C from-tar
diff -r --exclude=lost+found root from-tar --exclude=boot --exclude=home
same from-tar/home/joe/notes home/joe/notes
same from-tar/boot/grub/grub.cfg boot/grub/grub.cfg
works vrestore files -r R vm /etc -o part
never_says note
fails 64 vrestore files -r R vm / / -o twice
says "two of the paths would become '/'"

# No folder is left behind by a point that is not there.
fails 10 vrestore files -r R wm /etc -o not-made
absent not-made

# Without an fstab nobody knows which one is meant.
vstore put -q -r R --name two --volume b --volume c boot.raw spare.raw >/dev/null
vrestore files -q -r R two /grub /data -o two
same two/grub/grub.cfg boot/grub/grub.cfg
vstore put -q -r R --name twins --volume b --volume c spare.raw spare.raw >/dev/null
fails 64 vrestore files -r R twins /etc/name -o none
says 'several file systems' '--volume'

# A machine that ran: what it wrote last may be in its journal only, and that is told.
cp spare.raw running.raw
debugfs -w -R 'feature needs_recovery' running.raw >/dev/null 2>&1
vstore put -q -r R --name running running.raw >/dev/null
fails 3 vrestore files -q -r R running /data -o running
says 'its journal has not been replayed' 'what was written last may be missing'
same running/data/file spare/data/file

# What was left out of the backup is told.
vread --skip free --exclude '/var/cache/**' root.raw 2>vread-says | vstore put -q -r R --name lean >/dev/null
fails 3 vrestore files -q -r R lean / -o lean
says '/var/cache/blob: its content was left out of the backup (excluded)'
absent lean/var/cache/blob
same lean/etc/kept root/etc/kept
works vrestore files -q -r R lean /etc -o lean-etc
works vrestore ls -r R lean -l /var/cache
grep -q '/*blob  (left out of the backup: excluded)$' stdout
works vrestore ls -r R lean -l /etc
is "$(grep 'left out' stdout)" ''
works vrestore ls -r R lean --json -R /
python3 -c 'import json
files = [json.loads(line) for line in open("stdout")]
assert {f["path"]: f.get("left_out") for f in files if f.get("left_out")} == {"/var/cache/blob": "excluded"}'
# A whole disk that comes back tells how many files are zeros in it; where none are, nothing is told.
works vrestore -r R lean -o lean.raw
says 'note: root: 1 file left out on purpose (' 'is zeros; vstore show --holes names them'
vrestore -r R --raw lean 2>stderr >lean-2.raw
says 'note: root: 1 file left out'
same lean.raw lean-2.raw
works vrestore export -r R lean -o lean.qcow2
says 'note: root: 1 file left out'
works vrestore -q -r R lean -o quiet.raw
never_says note
works vrestore -r R vm:0 -o sda-2.raw
never_says note
works vrestore -r R lean --range 0:4096 -o start.raw
never_says note
fails 3 vrestore files -r R lean /var -o -
