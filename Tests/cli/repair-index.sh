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

# A pack that is gone: its chunks are stored again once the index does not claim them any more.
rm -rf R
cp -a whole R
lost=$(find R/packs -type f | head -n 1)
rm "$lost"
fails 1 vstore check -r R
works vstore repair-index -r R
shows 'moved to quarantine/: index/'
fails 1 vstore check -r R
vstore put -q -r R --name one one.raw >id
vstore put -q -r R --name two two.raw >id
works vstore check -r R --read-data
restores 'a pack lost, and its chunks stored again'

# Two copies are there of points and of the config; one makes up for the other.
point=$(find whole/points -type f | head -n 1)
for file in config copies/config "points/${point##*/}" "copies/${point##*/}"; do
  for harm in gone flipped; do
    rm -rf R
    cp -a whole R
    if [ $harm = gone ]; then rm "R/$file"; else flip "R/$file" 20; fi
    works vstore repair-index -r R
    shows "made again from its copy: $file"
    same "R/$file" "whole/$file"
    works vstore check -r R
  done
done

# A chunk that lies in two packs of one index file is found in the one that is left.
rm -rf R aside
cp -a whole R
mkdir aside
mv R/packs R/index aside
mkdir R/index
vstore put -q -r R --name again --no-base one.raw >id
mkdir more
mv R/packs more
mv R/index/* aside/index
cp -a aside/packs R/packs
cp -a more/packs/. R/packs
works vstore repair-index -r R
find aside/packs -type f | sed 's|^aside|R|' >first
cp -a R both
while read -r pack; do rm "$pack"; done <first
vrestore -r R again --raw | cmp - one.raw
rm -rf R
mv both R
find more/packs -type f | sed 's|^more|R|' | while read -r pack; do rm "$pack"; done
restores 'of two packs the second is lost'
