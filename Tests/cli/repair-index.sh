#!/bin/sh
# The index is a cache: without it, or with a damaged one, put and restore work; check tells it and repair-index makes it whole.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r whole >/dev/null
noise 9M 1 >one.raw
small_disk two.raw
vstore put -q -r whole --name one one.raw >id
vstore put -q -r whole --name two two.raw >id
vstore known -r whole -o known.whole

# restores WHEN: both points are there, byte for byte.
restores() {
  for name in one two; do
    vrestore -r R $name --raw | cmp - $name.raw || fail "$1: $name"
  done
}

for harm in deleted gone empty half flipped swapped noise; do
  rm -rf R
  cp -a whole R
  for index in R/index/*; do
    case $harm in
      deleted) rm "$index" ;;
      gone) rm -rf R/index && break ;;
      empty) : >"$index" ;;
      half) truncate -s $(($(size "$index") / 2)) "$index" ;;
      flipped) flip "$index" $(($(size "$index") / 2)) ;;
      swapped) cp "$(find R/packs -type f | head -n 1)" "$index" ;;
      noise) noise 10K >"$index" ;;
    esac
  done
  cp -a R harmed
  restores "index $harm"

  # A writer stores nothing twice for that.
  works vstore put --json -r R --name one --no-base one.raw
  shows '"added_bytes":0,'
  restores "put with the index $harm"
  rm -rf R
  mv harmed R

  # check says so, unless nothing is left that could be said to be wrong.
  status=0
  vstore check -r R >report 2>&1 || status=$?
  case $harm:$status in
    deleted:[01] | gone:[01]) ;;
    *:1) grep -q index report || fail "index $harm: check does not name it: $(cat report)" ;;
    *) fail "index $harm: check ends with status $status: $(cat report)" ;;
  esac

  works vstore repair-index -r R
  restores "repaired, index $harm"
  works vstore check -r R --read-data
  vstore known -r R -o known
  same known known.whole
  rm known
  works vstore repair-index -r R
  shows 'indexed 0 packs'
done
