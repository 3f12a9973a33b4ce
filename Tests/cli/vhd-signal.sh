#!/bin/sh
# A signal that ends vhd leaves nothing that looks like a disk: stdout's file, which is written in place, is emptied,
# and a file of its own does not appear.
. "$(dirname "$0")/functions.sh"

yes 'what is cut short is no disk' | head -c 100M >disk.raw
vread disk.raw >stream
for signal in INT TERM HUP; do
  for way in '--type fixed' '--type dynamic' '--format vmdk' '--format vhdx' '--format qcow2 --compress zstd'; do
    mkfifo pipe
    # shellcheck disable=SC2086
    env --default-signal=INT vhd create $way <pipe >out.vhd 2>stderr &
    pid=$!
    exec 9>pipe
    head -c 60000000 stream >&9
    within 20 test -s out.vhd
    kill -s "$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    exec 9>&-
    [ "$status" -gt 128 ] || fail "$signal: status $status"
    is "$(size out.vhd)" 0
    rm pipe
  done
done

# Without one, it is there.
works vhd create -o named.vhd <stream
vhd create <stream >out.vhd
vhd check out.vhd >/dev/null
is "$(size out.vhd)" "$(size named.vhd)"
