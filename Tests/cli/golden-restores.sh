#!/bin/sh
# The repositories of every release are restored and found whole, by these tools and by the reader.
. "$(dirname "$0")/functions.sh"

requires python3
for sums in "$VPIPE_TOP"/Tests/golden/repository-*.sums; do
  # git keeps no empty folders: a copy without them is read and written all the same.
  cp -r "${sums%.sums}" golden
  find golden -type d -empty -delete
  works vstore check -r golden --read-data
  while read -r point sum; do
    vrestore -r golden "$point" --raw >disk.raw
    is "$(digest disk.raw)" "$sum"
    case $point in
      *~*) ;;
      *)
        python3 "$VPIPE_TOP/Tests/reader/restore.py" golden "${point%:*}" "${point#*:}" >disk.raw
        is "$(digest disk.raw)" "$sum"
        ;;
    esac
  done <"$sums"
  works vstore put -r golden --name golden disk.raw
  works vstore check -r golden --read-data
  rm -rf golden
done
