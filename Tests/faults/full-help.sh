#!/bin/sh
# Help and version, too, are not done when standard output is full.
. "$(dirname "$0")/functions.sh"

requires vstore
for tool in vread vchunk vdedup vstore vrestore vhd; do
  for option in --help --version; do
    works "$tool" "$option"
    status=0
    "$tool" "$option" >/dev/full 2>stderr || status=$?
    no_crash "$status" "$tool $option"
    [ "$status" -ne 0 ] || fail "$tool $option: status 0 with standard output full"
  done
done
