#!/bin/sh
# Tests of the tests: each fault test passes with toy tools that keep their promises, and notices each toy that breaks
# the one that the test is about (toys.py lists them). By default one toy for each test, with --all every one.
. "$(dirname "$0")/functions.sh"

requires python3
make_toys toys
tried=0
wrong=0
seen=

# expect STATUS MUTANT TEST [VARIABLE=VALUE]: with this mutant (- for none) the test ends like that.
expect() {
  case $(often few all):$seen in few:*" $3 "*) return 0 ;; esac
  seen="$seen $3 "
  tried=$((tried + 1))
  mutant=$2
  [ "$mutant" != - ] || mutant=
  status=0
  env VPIPE_BIN="$PWD/toys" VPIPE_TOY="$mutant" VPIPE_ALL=0 VPIPE_STRIDE=1 ${4:+"$4"} \
    "$VPIPE_FAULTS/$3.sh" >log 2>&1 || status=$?
  reason=$(grep "^$3.sh: " log | head -n 1 | cut -c 1-120)
  case $1:$status in
    0:0 | 1:1) echo "fine: $3 with $2: ${reason:-passes}" ;;
    *:77) echo "skipped: $3: $(tail -n 1 log)" ;;
    *)
      wrong=$((wrong + 1))
      echo "WRONG: $3 with $2: status $status, not $1"
      tail -n 20 log
      ;;
  esac
}

if [ "${VPIPE_ALL:-0}" = 1 ]; then
  for test in kill-stages cut-stream flip full-disk kill-put powercut-put writers damage; do
    expect 0 - "$test"
  done
fi
expect 1 no-seal kill-stages
expect 1 no-seal cut-stream
expect 1 kept-output cut-stream
expect 1 no-frame-check flip
expect 1 no-frame-check,no-sequence flip
expect 1 no-tail flip
expect 1 dangling flip
expect 1 print-errors full-disk
expect 1 kept-output full-disk
expect 1 write-errors full-disk
expect 1 write-errors kill-put VPIPE_SWEEPS=once
expect 1 short-writes kill-put VPIPE_SWEEPS=short
expect 1 fsync-errors kill-put VPIPE_SWEEPS=none
expect 1 point-first kill-put VPIPE_SWEEPS=kill
expect 1 in-place kill-put VPIPE_SWEEPS=kill
expect 1 lock-file kill-put VPIPE_SWEEPS=kill
expect 1 no-fsync powercut-put
if command -v mkfs.btrfs >/dev/null; then
  expect 1 no-dirfsync powercut-put VPIPE_FILE_SYSTEMS=btrfs
fi
expect 1 shared-index writers
expect 1 lock-file writers
expect 1 check-names damage
expect 1 check-shallow damage
expect 1 check-points damage
expect 1 no-restore-check damage
expect 1 crash damage
echo "$tried, $wrong wrong"
[ "$wrong" -eq 0 ]
