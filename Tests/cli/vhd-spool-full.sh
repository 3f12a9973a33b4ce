#!/bin/sh
# When there is no room for the spool file of a dynamic disk, it is that file's folder which is named, not stdout.
. "$(dirname "$0")/functions.sh"

requires mount umount
requires_root
mkdir small
mount -t tmpfs -o size=8m none small 2>/dev/null || skip 'cannot mount a tmpfs'
later "umount -l '$PWD/small'"
noise 24M >disk.raw
for way in '--spool small' ''; do
  {
    status=0
    # shellcheck disable=SC2086
    TMPDIR=small vhd create --type dynamic $way disk.raw 2>stderr || status=$?
    echo "$status" >status
  } | cat >out
  is "$(cat status)" 2
  says 'vhd: spool file in small: write: no space left on device' 'hint: --spool names another folder'
  is "$(size out)" 0
done
vhd create --type dynamic --spool . disk.raw | cat >out.vhd
vread --raw out.vhd | cmp - disk.raw
