#!/bin/sh
# Many small index files become one, by the next put; a damaged one is neither believed nor merged, and what it covered is
# found all the same.
. "$(dirname "$0")/../cli/functions.sh"

works vstore init -r R
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
  noise 200K "$number" >"$number.raw"
  works vstore put -q -r R --name "m$number" "$number.raw"
  if [ "$number" = 15 ]; then cp -R R damaged; fi
done

# restores REPO NUMBER...: all of these points.
restores() {
  repository=$1
  shift
  for number; do
    vrestore -r "$repository" "m$number" --raw | cmp - "$number.raw"
  done
}

echo '* merged'
restores R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
works vstore check -r R --read-data
# The merged one says all that those before it said: they may go.
largest=$(find R/index -type f -size +4k -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
[ -n "$largest" ] || fail 'nothing was merged'
cp -R R alone
find alone/index -type f ! -name "$(basename "$largest")" -delete
restores alone 1 2 3 8 15

echo '* one is damaged'
for file in damaged/index/*; do
  chmod u+w "$file"
  flip "$file" $(($(size "$file") / 2))
  damaged=$file
  break
done
for number in 16 17; do
  works vstore put -q -r damaged --name "m$number" "$number.raw"
  says "index/$(basename "$damaged")"
done
restores damaged 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
fails 1 vstore check -r damaged --read-data
shows "damage: index/$(basename "$damaged")"
is "$(grep -c '^damage' stdout)" 1
works vstore repair-index -r damaged
works vstore check -r damaged --read-data
restores damaged 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
