#!/bin/sh
# A stream without its seal gives status 4, and nothing that could be taken for an image.
. "$(dirname "$0")/functions.sh"

small_disk disk.raw
vread disk.raw >stream
whole=$(size stream)
for left in 0 10 64 200 1000000 $((whole - 100)) $((whole - 1)); do
  head -c "$left" stream >broken
  for type in fixed dynamic; do
    fails 4 vhd create --type $type -o disk.vhd <broken
    absent disk.vhd
    is "$(find . -name '*.partial' -o -name '*.spool')" ''

    # An old image stays as it is.
    echo old >old.vhd
    fails 4 vhd create --type $type --force -o old.vhd <broken
    is "$(cat old.vhd)" old

    # A file that the shell has made already is emptied.
    status=0
    vhd create --type $type <broken >redirected.vhd 2>stderr || status=$?
    is "$status" 4
    is "$(size redirected.vhd)" 0

    # What has gone into a pipe cannot be called back, but it has no footer.
    {
      status=0
      vhd create --type $type <broken 2>stderr || status=$?
      echo "$status" >status
    } | cat >piped.vhd
    is "$(cat status)" 4
    fails 65 vhd check piped.vhd
    if [ $type = dynamic ]; then is "$(size piped.vhd)" 0; fi
  done
done

# The other formats: nothing that can be read as a disk, and a raw one that is too short.
for left in 64 1000000 $((whole - 1)); do
  head -c "$left" stream >broken
  for way in vhdx 'vhdx --type dynamic' vmdk qcow2 'qcow2 --compress zstd' raw; do
    # shellcheck disable=SC2086
    fails 4 vhd create --format $way -o disk.image <broken
    absent disk.image
    is "$(find . -name '*.partial' -o -name '*.spool')" ''
    {
      status=0
      # shellcheck disable=SC2086
      vhd create --format $way <broken 2>stderr || status=$?
      echo "$status" >status
    } | cat >piped
    is "$(cat status)" 4
    case $way in
      raw) [ "$(size piped)" -lt "$(size disk.raw)" ] ;;
      vhdx | vmdk) [ "$(size piped)" = 0 ] || fails 65 vread --raw piped ;;
      *) is "$(size piped)" 0 ;;
    esac
  done
done

# Damage in the middle, and something behind the seal.
cp stream flipped
flip flipped 1000000
fails 65 vhd create -o disk.vhd <flipped
{
  cat stream
  echo more
} >longer
fails 4 vhd create -o disk.vhd <longer
fails 65 vhd create -o disk.vhd <disk.raw
absent disk.vhd

# Nobody reads: that is a failure, too.
for type in fixed dynamic; do
  {
    status=0
    vhd create --type $type <stream 2>stderr || status=$?
    echo "$status" >status
  } | true
  case $(cat status) in 2 | 141) ;; *) fail "status $(cat status) for a closed pipe" ;; esac
done
fails 2 sh -c 'vhd create <stream >/dev/full'
says 'stdout: write: '
