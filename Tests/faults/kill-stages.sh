#!/bin/sh
# Killing any stage of the pipe at any moment commits nothing, in bash and in a shell without pipefail; what was
# there before stays whole, and the next run needs no manual step.
. "$(dirname "$0")/functions.sh"

requires python3 bash dash
per_stage=$(often 5 200)
fresh_disk base.raw 9M base

# The pipe, each stage under a process id that can be killed: it ends with the last stage's status.
cat >stages <<'PIPE'
sh -c 'echo $$ >pid.1; exec vread d.raw' 2>stderr.1 |
  sh -c 'echo $$ >pid.2; exec vchunk' 2>stderr.2 |
  sh -c 'echo $$ >pid.3; exec vdedup -r R' 2>stderr.3 |
  sh -c 'echo $$ >pid.4; exec vstore put -r R --name a' >id 2>stderr.4
PIPE

start_over() {
  new_repository R
  put_disk R base base.raw
  base=$point
  point_ids R >known
}

now() {
  date +%s%N
}

start_over
fresh_disk d.raw 48M warm-up
started=$(now)
dash stages
duration=$((($(now) - started) / 1000))
for stage in 1 2 3 4; do
  echo "$duration" >"limit.$stage" # for how long to wait at most; it adapts to how long the stage lives
done
restores R "$(cat id)" d.raw 'the pipe that nobody disturbs'
point_ids R >known

round=0
late=0
for shell in bash dash; do
  for stage in 1 2 3 4; do
    for try in $(seq "$per_stage"); do
      round=$((round + 1))
      when="$shell, stage $stage, try $try (seed $VPIPE_SEED)"
      [ $((round % 20)) -ne 0 ] || start_over
      fresh_disk d.raw 48M "$VPIPE_SEED $round"
      limit=$(cat "limit.$stage")
      delay=$(random "$limit" "$round")
      rm -f pid.* id
      "$shell" stages 2>/dev/null &
      pipe=$!
      until [ -s "pid.$stage" ]; do sleep 0.002; done
      sleep "$((delay / 1000000)).$(printf %06d $((delay % 1000000)))"
      kill -KILL "$(cat "pid.$stage")" 2>/dev/null || true
      status=0
      wait "$pipe" || status=$?
      no_crash "$status" "$when"

      new=$(new_points R known)
      case $status:$stage in
        0:*)
          late=$((late + 1))
          echo $((delay * 8 / 10 + 1000)) >"limit.$stage"
          is "$new" "$(cat id)"
          restores R "$new" d.raw "$when"
          ;;
        4:[123])
          is "$new" ''
          echo $((limit * 11 / 10)) >"limit.$stage"
          ;;
        137:4) [ -z "$new" ] || restores R "$new" d.raw "$when" ;;
        *) fail "$when: vstore ends with status $status: $(cat stderr.4)" ;;
      esac
      cp points.now known
      if [ $((try % 5)) -eq 0 ]; then
        restores R "$base" base.raw "$when"
      fi
    done
  done
  dash stages || fail "$shell: the next run does not work: $(cat stderr.?)"
  restores R "$(cat id)" d.raw "$shell: the next run"
  restores R "$base" base.raw "$shell: the next run"
  is_clean R --read-data
  point_ids R >known
done
echo "$round kills, $late of them too late"
[ "$late" -lt $((round * 9 / 10)) ] || fail 'most kills came too late'
