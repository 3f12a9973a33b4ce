#!/bin/sh
# A full disk, a full or closed standard output, a limit on file sizes: never status 0 for what was not done, never a
# damaged older point, never a part under a final name; with room again the next run works.
. "$(dirname "$0")/functions.sh"

requires python3
fresh_disk base.raw 3M base
fresh_disk d.raw 12M other

# -- standard output --

new_repository R
put_disk R base base.raw
vread d.raw >stream
vchunk <stream >chunks
vhd create -o disk.vhd <stream

# status_of COMMAND: run by sh, its status.
status_of() {
  status=0
  timeout 60 sh -c "$1" 2>stderr || status=$?
  no_crash "$status" "$1"
}
for command in 'vread d.raw' 'vchunk <stream' 'vdedup -r R <chunks' 'vrestore -r R base' 'vrestore -r R base --raw' \
  'vread --raw d.raw' 'vstore list -r R --json' 'vstore list -r R' 'vstore check -r R --json' \
  'vstore stats -r R' 'vstore show -r R base' 'vhd info --json disk.vhd'; do
  status=0
  sh -c "$command" >out 2>/dev/null || status=$?
  if [ "$status" -ne 0 ] || [ ! -s out ]; then continue; fi # toys cannot do all of it, some say nothing
  status_of "$command >/dev/full"
  [ "$status" -ne 0 ] || fail "$command: status 0 with standard output full"
  [ -s stderr ] || fail "$command: says nothing about a full standard output"
  status_of "$command >&-"
  [ "$status" -ne 0 ] || fail "$command: status 0 with standard output closed"
done
for command in 'vread d.raw' 'vrestore -r R base --raw' 'vread --raw d.raw'; do
  status_of "{ $command; echo \$? >status; } | true"
  [ "$(cat status)" -ne 0 ] || fail "$command: status 0 though nobody reads"
done
point_ids R >known
status_of 'vstore put -r R --name unsaid base.raw >/dev/full'
[ "$status" -ne 0 ] || fail 'vstore put: status 0 though its id was not printed'
status_of 'vstore put -r R --name unsaid base.raw >&-'
[ "$status" -ne 0 ] || fail 'vstore put: status 0 with standard output closed'
for id in $(new_points R known); do
  restores R "$id" base.raw 'a point whose id could not be printed'
done
is_clean R --read-data

# -- limits --

for limit in 1 100 3000 9000; do # units of 512 bytes
  when="ulimit -f $limit"
  new_repository R
  put_disk R base base.raw
  point_ids R >known
  status_of "ulimit -f $limit; vstore put -r R --name a d.raw >id"
  if [ "$status" -eq 0 ]; then
    restores R "$(cat id)" d.raw "$when"
  else
    only_old R known "$when"
  fi
  restores R base base.raw "$when"
  is_clean R --read-data
  put_disk R a d.raw
  restores R "$point" d.raw "$when"
  status_of "ulimit -f $limit; vrestore -r R base -o out.raw"
  [ "$status" -ne 0 ] || same out.raw base.raw
  [ "$status" -eq 0 ] || absent out.raw
  status_of "ulimit -f $limit; vhd create -o out.vhd <stream"
  [ "$status" -eq 0 ] || absent out.vhd
  rm -f out.*
done

# -- a full disk --

requires_root
requires mount umount
mkdir small
mount -t tmpfs -o size=64m none small 2>/dev/null || skip 'cannot mount a tmpfs'
later "umount -l '$PWD/small'"

new_repository small/R
put_disk small/R base base.raw
old=$(du -sk small | cut -f 1)
put_disk small/R a d.raw
new=$(du -sk small | cut -f 1)

# try WHEN: there is too little room for d.raw.
try() {
  point_ids small/R >known
  status_of 'vstore put -r small/R --name a d.raw >id'
  if [ "$status" -eq 0 ]; then
    restores small/R "$(cat id)" d.raw "$1"
  else
    only_old small/R known "$1"
    [ -s stderr ] || fail "$1: vstore put says nothing"
    [ "$status" = 2 ] || fail "$1: vstore put ends with status $status"
  fi
  restores small/R base base.raw "$1"
  for command in 'vrestore -r small/R base -o small/out.raw' 'vhd create -o small/out.vhd <stream'; do
    status_of "$command"
    if [ "$status" -ne 0 ]; then
      _left=$(find small -name 'out.*')
      [ -z "$_left" ] || fail "$1: $command leaves $_left"
    fi
    rm -f small/out.*
  done
  mount -o remount,size=64m,nr_inodes=0 small
  put_disk small/R a d.raw
  restores small/R "$point" d.raw "$1, with room again"
  restores small/R base base.raw "$1, with room again"
  is_clean small/R --read-data
}

# shellcheck disable=SC2046
for percent in $(often '1 30 60 95' "$(seq -s ' ' 1 3 100)"); do
  rm -rf small/*
  new_repository small/R
  put_disk small/R base base.raw
  mount -o remount,size=$((old + (new - old) * percent / 100 + 4))k small
  try "room for $percent percent"
done
for inodes in $(often '1 4' '1 2 3 4 5 6 7 8'); do
  rm -rf small/*
  new_repository small/R
  put_disk small/R base base.raw
  mount -o remount,nr_inodes=$(($(find small | wc -l) + inodes)) small 2>/dev/null || break
  try "room for $inodes more files"
done
