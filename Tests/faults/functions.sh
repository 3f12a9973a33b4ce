# shellcheck shell=sh
# What the fault tests share, on top of Tests/cli/functions.sh:
#
#     . "$(dirname "$0")/functions.sh"
#
# A repetition count is written as `$(often 5 200)`: 5 by default, 200 with --all.

. "$(dirname "$0")/../cli/functions.sh"

VPIPE_FAULTS=$VPIPE_TOP/Tests/faults

# often FEW ALL: how often to do it.
often() {
  if [ "${VPIPE_ALL:-0}" = 1 ]; then echo "$2"; else echo "$1"; fi
}

# build_killat: builds the fault runner where it is not yet there, as $killat (killat.c tells the options).
build_killat() {
  requires cc
  # shellcheck disable=SC2016
  killat=$(fixture killat sh -c 'cc -O2 -Wall -Wextra -o "$2" "$1"' sh "$VPIPE_FAULTS/killat.c") || exit $?
  _status=0
  "$killat" -o /dev/null true 2>killat.message || _status=$?
  if [ "$_status" = 125 ]; then skip "$(cat killat.message)"; fi
}

# events REPORT: how many events the report of a killat run counted.
events() {
  sed -n 's/^events //p' "$1"
}
