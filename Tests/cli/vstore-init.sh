#!/bin/sh
# A repository is made once, whoever else makes it at the same moment; nobody else can read a new one; what is there already
# is left alone.
. "$(dirname "$0")/../cli/functions.sh"

echo '* only its owner gets into a new one; an existing folder keeps its mode'
works vstore init -r new
is "$(stat -c %a new)" 700
mkdir -m 751 there
works vstore init -r there
is "$(stat -c %a there)" 751

echo '* not over something else'
fails 2 vstore init -r new
says 'new: a repository is there already'
mkdir other
echo 1 >other/file
fails 2 vstore init -r other
says 'not empty'
is "$(ls other)" file
fails 2 vstore init -r other/file/sub
says 'other/file/sub: ' 'not a directory'
fails 2 vstore init -r other/file
says 'other/file: ' 'not a directory'

echo '* several at once'
noise 100K >disk.raw
round=0
made=0
while [ $round -lt 15 ]; do
  round=$((round + 1))
  for number in 1 2 3 4; do
    (
      status=0
      vstore init -r "R$round" >"id.$number" 2>"said.$number" || status=$?
      echo $status >"status.$number"
    ) &
  done
  wait
  # Of those that meet, all may give way, but no two may succeed; what is left is a repository or none.
  winners=$(cat status.? | grep -cx 0) || true
  [ "$winners" -le 1 ] || fail "round $round: $winners succeeded"
  if [ "$winners" = 0 ]; then works vstore init -r "R$round"; else made=$((made + 1)); fi
  for number in 1 2 3 4; do
    case $(cat status.$number) in
      0) grep -q "\"id\":\"$(cat id.$number)\"" "R$round/config" || fail "round $round: the config is another one's" ;;
      2 | 11) ;;
      *) fail "round $round: status $(cat status.$number): $(cat said.$number)" ;;
    esac
  done
  cmp "R$round/config" "R$round/copies/config"
  works vstore put -q -r "R$round" --name a disk.raw
  works vstore check -r "R$round" --read-data
done
[ $made -gt 0 ] || fail 'nobody ever succeeded'
