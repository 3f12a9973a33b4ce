#!/bin/sh
# A folder that the machine mounts something at is not taken for empty where that cannot be read: it is told by the
# fstab, and the status says so.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs mkfs.btrfs sgdisk
mkdir -p root/etc root/home root/opt/tools root/srv/kept root/data root/mnt/cd root/mnt/nfs root/mnt/share root/mnt/stick \
  root/var/bound root/run home/joe kept
cat >root/etc/fstab <<'TABLE'
UUID=11111111-0000-4000-8000-000000000001 / ext4 defaults 0 1
UUID=22222222-0000-4000-8000-000000000002 /home btrfs subvol=home 0 2
/dev/disk/by-uuid/22222222-0000-4000-8000-000000000002 /var/lib btrfs subvol=lib 0 2
UUID=0000-dead /opt ext4 defaults,nofail 0 2
/dev/mapper/crypt /srv ext4 defaults 0 2
LABEL=kept /srv/kept ext4 defaults 0 2
/dev/sdb1 /data ext4 defaults 0 2
UUID=0000-beef none swap sw 0 0
tmpfs /run tmpfs size=1G 0 0
proc /proc proc defaults 0 0
server:/export /mnt/nfs nfs defaults 0 0
//server/share /mnt/share cifs guest 0 0
/home /var/bound none bind 0 0
/dev/sdc1 /var/bound/again none rbind 0 0
/dev/cdrom /mnt/cd auto ro,noauto 0 0
/dev/sr0 /mnt/cd iso9660 ro 0 0
/dev/fd0 /mnt/floppy vfat noauto 0 0
/dev/sdd1 /mnt/stick auto noauto,user 0 0
TABLE
echo below >root/opt/tools/below
echo precious >home/joe/precious
echo kept >kept/file
truncate -s 8M root.raw kept.raw
mke2fs -q -F -t ext4 -U 11111111-0000-4000-8000-000000000001 -d root root.raw
mke2fs -q -F -t ext4 -L kept -d kept kept.raw
truncate -s 120M home.raw
mkfs.btrfs -q -U 22222222-0000-4000-8000-000000000002 -r home home.raw >/dev/null 2>&1
truncate -s 140M disk.raw
sgdisk -n 1:2048:+8M -n 2:0:+120M -n 3:0:+8M disk.raw >/dev/null
put_at disk.raw $((1 << 20)) <root.raw
dd if=home.raw of=disk.raw bs=1M seek=9 conv=notrunc,sparse status=none
put_at disk.raw $((129 << 20)) <kept.raw
vstore init -r R >/dev/null
vstore put -q -r R --name vm --skip none disk.raw >/dev/null

home='/home is mounted from partition 2 (btrfs), whose files cannot be read'
opt='/opt is mounted from UUID=0000-dead, which was not found on the disks'
srv='/srv is mounted from /dev/mapper/crypt, which was not found on the disks'
data='/data is mounted from /dev/sdb1, and the disks do not tell which file system that is'

# The file systems show where they are mounted, whether their files can be read or not.
works vrestore ls -r R vm
grep -q 'partition 2 .* /home  *no ' stdout || fail 'partition 2 is at /home'
works vrestore ls -r R --json vm
is "$(json_values mount_point <stdout | tr '\n' ' ')" '/ /home /srv/kept '

# What is beneath such a folder is not what the machine has there.
fails 3 vrestore files -r R vm /home -o home-copy
says "warning: $home"
fails 3 vrestore files -r R vm /opt/tools/below -o opt-copy
says "warning: $opt"
same opt-copy/below root/opt/tools/below
fails 3 vrestore files -r R vm /srv /data -o srv-copy
says "warning: $srv" "warning: $data"
fails 10 vrestore files -r R vm /home/joe/precious -o none
says '/home/joe/precious: no such file' "hint: $home"
works vrestore ls -r R vm /home
says "warning: $home"
fails 10 vrestore ls -r R vm /var/lib/x
says 'hint: /var/lib is mounted from partition 2'

# What is mounted deeper, or lies beside, is whole.
works vrestore files -r R vm /srv/kept /etc -o kept-copy
never_says warning note
same kept-copy/kept/file kept/file
works vrestore ls -r R vm /srv/kept
never_says warning

# Where such folders are inside of what is restored, a note names them, and nothing that has no disk of its own.
works vrestore files -r R vm / -o whole
says 'note: /srv/kept is another file system' "note: $home" "note: $opt" "note: $srv" "note: $data" 'note: /var/lib is mounted'
never_says /mnt /run /proc /var/bound swap 0000-beef
is "$(grep -c 'is mounted from' stderr)" 5
works vrestore files -r R vm /mnt /run /var/bound -o others
never_says 'is mounted from' warning
# Where a file system was chosen, nothing is mounted in it.
works vrestore files -r R vm /home --partition 1 -o chosen
never_says 'is mounted from'

# Another root has an fstab of its own.
mkdir -p spare/etc spare/opt
echo 'proc /proc proc defaults 0 0' >spare/etc/fstab
echo only >spare/opt/only
truncate -s 4M spare.raw
mke2fs -q -F -t ext4 -d spare spare.raw
vstore put -q -r R --name two disk.raw spare.raw >/dev/null
works vrestore files -r R two /opt/only -o only
never_says warning
fails 3 vrestore files -r R two /opt/tools -o tools
says "warning: $opt"
