#!/bin/sh
# Two writers at once into one repository, and a third that is killed over and over: every point whose put ended with
# 0 restores, so does every point that is listed, and nobody has to wait for a lock or remove one.
. "$(dirname "$0")/functions.sh"

requires python3
puts=$(often 6 60)
new_repository R
fresh_disk shared.raw 4M shared

# writer NAME: puts disks of its own, which share parts with those of the others; notes each point with its disk.
writer() {
  for n in $(seq "$puts"); do
    cp shared.raw "$1.$n"
    fresh_disk "$1.part" 2M "$1 $n"
    put_at "$1.$n" 1048576 <"$1.part"
    vstore put -r R --name "$1" "$1.$n" >"$1.id" 2>"$1.stderr" || {
      echo "$1, put $n: status $?: $(cat "$1.stderr")" >"$1.failed"
      return
    }
    echo "$(cat "$1.id") $1.$n" >>"$1.points"
  done
}
writer one &
one=$!
writer two &
two=$!
later "kill $one $two 2>/dev/null; wait"

# The third one is killed; what it leaves behind must not disturb the others.
kills=0
while kill -0 "$one" 2>/dev/null || kill -0 "$two" 2>/dev/null; do
  kills=$((kills + 1))
  fresh_disk "three.$kills" 4M "three $kills"
  vstore put -r R --name three "three.$kills" >three.id 2>/dev/null &
  victim=$!
  sleep "0.$(printf %03d "$(random 150 "$kills")")"
  kill -KILL "$victim" 2>/dev/null || true
  status=0
  wait "$victim" 2>/dev/null || status=$?
  case $status in
    0) echo "$(cat three.id) three.$kills" >>three.points ;;
    137) ;;
    *) fail "the third writer, before it was killed: status $status" ;;
  esac
done
wait "$one" "$two"
for name in one two; do
  [ ! -e "$name.failed" ] || fail "$(cat "$name.failed")"
  is "$(wc -l <"$name.points")" "$puts"
done

touch three.points
point_ids R >listed
cat one.points two.points three.points >points
while read -r id disk; do
  grep -qx "$id" listed || fail "point $id of $disk is not listed"
  restores R "$id" "$disk"
done <points
cut -d ' ' -f 1 points >acknowledged
grep -vxF -f acknowledged listed >unsaid || true # committed, but killed before it could say so
while read -r id; do
  vrestore -r R "$id" --raw >raw || fail "point $id of a killed writer does not restore"
  for n in $(seq "$kills"); do
    if cmp -s raw "three.$n"; then continue 2; fi
  done
  fail "point $id of a killed writer has other bytes than any disk"
done <unsaid
echo "$(wc -l <points) points of writers at once, $kills kills"
put_disk R after shared.raw
is_clean R --read-data
