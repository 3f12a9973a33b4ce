#!/bin/sh
# Options of reading that can do nothing where a stream or plain bytes come on stdin are refused, never ignored.
. "$(dirname "$0")/functions.sh"

noise 1M >disk.raw
vread disk.raw >stream
vstore init -r R >/dev/null

while read -r options; do
  # shellcheck disable=SC2086
  fails 64 vstore put -r R --name a $options <stream
  says "vstore: ${options%% *}: what comes on stdin has been read already" 'hint: in a pipe it belongs to vread'
  [ "${options%% *}" != --format ] || options="--source-format raw"
  # shellcheck disable=SC2086
  fails 64 vhd create -o new.vhd $options <stream
  says "vhd: ${options%% *}: what comes on stdin" 'hint: in a pipe it belongs to vread'
  # shellcheck disable=SC2086
  fails 64 vhd create -o new.vhd --raw-input --size 1M $options <disk.raw
  says "vhd: ${options%% *}: what comes on stdin" 'hint: name the disk'
  # shellcheck disable=SC2086
  fails 64 vstore put -r R --name a $options - <stream
done <<'END2'
--skip free,swap
--skip none
--exclude /tmp
--exclude-from nothing
--exclude-set temp
--salvage
--allow-references .
--snapshot 1
--backing-format raw
--format raw
END2
absent new.vhd
is "$(point_ids R)" ""

# An image on stdin is read, so that they act.
works vhd convert --source-format raw --skip free - new.vhd <disk.raw
works vstore put -r R --name a <stream
