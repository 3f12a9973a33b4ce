#!/bin/sh
# A point is found by its machine's name, by counting back from the newest, by its id, or by the start of that.
. "$(dirname "$0")/../cli/functions.sh"

vstore init -r R >/dev/null
for number in 1 2 3; do
  noise 10K $number >$number.raw
  vstore put -q -r R --name web01 --volume root $number.raw >$number.id
done
noise 10K 9 >9.raw
vstore put -q -r R --name db01 9.raw >9.id

holds() {
  vrestore -r R "$1" --raw | cmp - "$2.raw" || fail "$1 is not $2"
}
holds web01 3
holds web01~0 3
holds web01~1 2
holds web01~2 1
holds web01~2:root 1
holds db01 9
for number in 1 2 3 9; do
  id=$(cat $number.id)
  is "${#id}" 64
  holds "$id" $number
  holds "$(echo "$id" | cut -c 1-12)" $number
  holds "$(echo "$id" | tr a-f A-F)" $number
  works vstore show -r R --json "$(echo "$id" | cut -c 1-16)"
  shows "\"$id\""
done
holds "$(cut -c 1-20 1.id):root" 1

fails 10 vrestore -r R web01~3 --raw
says 'web01~3' '3 points'
for point in web web01~ web01~x web01~-1 web01~1~1 web02 "$(cut -c 1-3 1.id)" "$(cat 1.id)0"; do
  fails 10 vrestore -r R "$point" --raw
  says "$point"
done

# The order of list is that of time, and list takes a name.
is "$(point_ids R)" "$(cat 1.id 2.id 3.id 9.id)"
works vstore list -r R web01
is "$(sed 1d stdout | cut -c 1-12)" "$(cut -c 1-12 1.id 2.id 3.id)"
fails 10 vstore list -r R nobody
is "$(cat stdout)" ''

# A prefix that several ids share is refused with the number of them.
seq 1 40 | while read -r number; do
  vstore put -q -r R --name "m$number" 9.raw
done >ids
common=$(cut -c 1-4 ids | sort | uniq -d | head -n 1)
if [ -n "$common" ]; then
  fails 10 vrestore -r R "$common" --raw
  says 'points have ids like that'
fi

# When the newest point cannot be read, the one before it is not given out for it, but can be had by its id.
for file in R/points/*"$(cat 3.id)" R/copies/*"$(cat 3.id)"; do flip "$file" 30; done
for command in 'vrestore -r R web01 --raw' 'vrestore -r R web01~0 --raw' 'vstore baseline -r R web01 -o out'; do
  # shellcheck disable=SC2086
  fails 65 $command
  is "$(size stdout)" 0
  says "$(cat 3.id)" "$(cat 2.id)"
done
holds "$(cat 2.id)" 2
holds db01 9
