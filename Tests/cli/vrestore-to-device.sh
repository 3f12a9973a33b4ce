#!/bin/sh
# A device gets the disk's bytes, zeros where it has holes, whatever was on it; only with --force, and when it is large
# enough.
. "$(dirname "$0")/../cli/functions.sh"

requires losetup
requires_root
vstore init -r R >/dev/null
small_disk disk.raw
vstore put -q -r R --name a disk.raw >id

# a device: /dev/loopN over a file of noise.
noise 13M 5 >stale
cp stale backing
device=$(losetup --find --show backing 2>/dev/null) || skip 'no loop devices here'
later "detach $device"
total=$(size disk.raw)

fails 64 vrestore -r R a -o "$device"
says 'all of whose content would be lost' 'hint: --force'
cmp -n 13631488 "$device" stale

works vrestore -r R a --force -o "$device"
says "$((13631488 - total)) bytes at its end are left as they are"
cmp -n "$total" "$device" disk.raw
tail -c +$((total + 1)) stale >tail.stale
tail -c +$((total + 1)) "$device" | cmp - tail.stale

# Where the user says that it is all zeros, holes are not written.
cat stale >"$device"
works vrestore -r R a --force --target-is-zero -o "$device"
cmp -n 3145728 "$device" disk.raw
tail -c +4194305 "$device" | head -c 65536 >kept
tail -c +4194305 stale | head -c 65536 | cmp - kept

# A hole that ends within a page of the device: what shares the page with it stays.
cp disk.raw odd.raw
truncate -s 12582912 odd.raw
truncate -s 12584448 odd.raw
vstore put -q -r R --name odd odd.raw >odd.id
cat stale >"$device"
works vrestore -r R odd --force -o "$device"
cmp -n 12584448 "$device" odd.raw
tail -c +12584449 stale >tail.stale
tail -c +12584449 "$device" | cmp - tail.stale

# One that is too small stays as it is.
noise 12M 6 >small
cp small small.backing
small=$(losetup --find --show small.backing)
later "detach $small"
fails 2 vrestore -r R a --force -o "$small"
says "12582912 bytes, but $total are needed"
cmp "$small" small

# One that is in use is not written to.
if command -v mkfs.ext4 >/dev/null && mkfs.ext4 -q -F "$device" && mkdir mounted && mount "$device" mounted 2>/dev/null; then
  later "umount '$PWD/mounted'"
  fails 2 vrestore -r R a --force -o "$device"
  says busy
fi
