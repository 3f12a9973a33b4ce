#!/bin/sh
# Whatever stops `vstore put` at whichever of its changes to the repository - SIGKILL, a full disk, a failing one, a
# short write - nothing that was there is lost, status 0 means a point that restores, and the next put just works.
. "$(dirname "$0")/functions.sh"

requires python3 cc
build_killat
stride=${VPIPE_STRIDE:-$(often 7 1)}
fresh_disk base.raw 3M base
fresh_disk d.raw 4M other
new_repository whole
put_disk whole base base.raw
point_ids whole >known
cp -a whole R
"$killat" -c -v -u R -o report vstore put -r R --name a d.raw >id
count=$(events report)
! grep '^blind' report || fail 'killat cannot see all changes'
[ "$count" -gt 10 ] || fail "only $count changes: is the repository elsewhere?"
restores R "$(cat id)" d.raw
echo "$count changes to files, stride $stride"

tried=0
reached=0

# put_with WHEN OPTION...: one put under killat with these options, in a fresh copy; what must hold afterwards.
put_with() {
  when=$1
  shift
  rm -rf R
  cp -a whole R
  status=0
  timeout 120 "$killat" "$@" -u R -o report vstore put -r R --name a d.raw >id 2>stderr || status=$?
  no_crash "$status" "$when"
  [ "$status" -ne 125 ] || fail "$when: $(cat stderr)"
  [ "$status" -ne 124 ] || fail "$when: vstore put hangs"
  if grep -q '^done' report; then reached=$((reached + 1)); fi
  tried=$((tried + 1))
  new=$(new_points R known)
  grep -vxF -f points.now known >lost && fail "$when: lost point $(cat lost)"
  for id in $new; do
    restores R "$id" d.raw "$when"
  done
  if [ "$status" -eq 0 ]; then
    is "$new" "$(cat id)"
  fi
  restores R base base.raw "$when"
  put_disk R a d.raw
  restores R "$point" d.raw "$when, the next put"
  is_clean R --read-data
}

# sweep NAME WHAT OPTION...: with the number of each event behind the options. VPIPE_SWEEPS names those to do.
sweep() {
  case " ${VPIPE_SWEEPS:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
  what=$2
  shift 2
  n=$((1 + VPIPE_SEED % stride))
  while [ "$n" -le "$count" ]; do
    put_with "$what $n" "$@" "$n"
    n=$((n + stride))
  done
}
sweep kill 'killed before change' -k
sweep full 'ENOSPC from change' -E ENOSPC
sweep broken 'EIO from change' -E EIO
sweep once 'EIO once, at change' -e EIO
sweep short 'short write at change' -s

# After a failed fsync nobody knows what is on the disk: no commit.
rm -rf R && cp -a whole R
"$killat" -c -v -C sync -u R -o report vstore put -r R --name a d.raw >id
syncs=$(events report)
[ "$syncs" -gt 2 ] || fail "only $syncs calls of fsync"
for n in $(seq "$syncs"); do
  put_with "failed fsync $n" -C sync -e EIO "$n"
  [ "$status" -ne 0 ] || fail "failed fsync $n: status 0"
done

echo "$tried puts, $reached of them disturbed"
[ "$reached" -ge $((tried * 3 / 4)) ] || fail 'too few'

# So it is with a repository that is just being made.
works "$killat" -c -u fresh -o report vstore init -r fresh
count=$(events report)
n=1
while [ "$n" -le "$count" ]; do
  rm -rf fresh
  fails 137 "$killat" -k "$n" -u fresh -o report vstore init -r fresh
  vstore init -r fresh >stdout 2>stderr || vstore list -r fresh >stdout 2>>stderr ||
    fail "vstore init killed before change $n: neither a repository nor a place for one: $(cat stderr)"
  put_disk fresh a base.raw
  restores fresh "$point" base.raw "vstore init killed before change $n"
  n=$((n + stride))
done
