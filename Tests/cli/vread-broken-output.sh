#!/bin/sh
# Output that cannot be written is never a success.
. "$(dirname "$0")/../cli/functions.sh"

noise 20M >disk.raw
for option in '' --raw; do
  status=0
  # shellcheck disable=SC2086
  vread $option disk.raw >/dev/full 2>stderr || status=$?
  is "$status" 2
  says 'stdout'
  # shellcheck disable=SC2086
  {
    status=0
    vread $option disk.raw 2>/dev/null || status=$?
    echo $status >status
  } | head -c 1000 >/dev/null
  within 5 test -s status
  case $(cat status) in
    2 | 141) ;;
    *) fail "status $(cat status) after a broken pipe" ;;
  esac
  rm status
done
status=0
vread --list disk.raw >/dev/full 2>stderr || status=$?
is "$status" 2
