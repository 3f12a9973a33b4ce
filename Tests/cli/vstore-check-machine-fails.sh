#!/bin/sh
# What keeps check from reading a file - too few descriptors, no permission - is a failure of the machine, status 2 with
# the file's name, and never called damage of the repository.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
  noise 20K "$number" >disk.raw
  vstore put -q -r R --name a disk.raw >id
done

no_damage() {
  if grep -iq 'damage[:d]' stdout; then fail "damage, where none is: $(head -n 2 stdout)"; fi
  [ -s stderr ] || fail 'nothing is said'
}

# shellcheck disable=SC3045 # the shells that there are have it
few() (ulimit -n 8 && exec "$@")
fails 2 few vstore check -r R --read-data
no_damage
fails 2 few vstore check -r R --read-data --json
if grep -q finding stdout; then fail "a finding: $(cat stdout)"; fi

works vstore check -r R --read-data

requires setpriv
requires_root
pack=$(find R/packs -type f | head -n 1)
chmod -R a+rX "$VPIPE_SCRATCH"
other() {
  setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
works other vstore check -r "$PWD/R" --read-data
for file in "$pack" R/points R/index; do
  chmod a= "$file"
  fails 2 other vstore check -r "$PWD/R" --read-data
  says "${file#R/}" 'permission denied'
  no_damage
  chmod a+rX "$file"
done
