#!/bin/sh
# How a tool ends says what happened, by the table of vpipe(7), and one line on stderr says where.
. "$(dirname "$0")/../cli/functions.sh"

noise 5M >disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id
vread disk.raw >stream
vchunk <stream >chunks

# 2: failed.
fails 2 vread nothing.raw
says 'vread: nothing.raw: ' 'no such file or directory'
fails 2 vstore put -r R --name a nothing.raw
fails 2 vhd info nothing.vhd
fails 2 vstore init -r R
says 'vstore: R: '

# 4: the stage before did not finish; nothing is printed or made.
head -c 3000000 stream >short
head -c 3000000 chunks >short.chunks
: >empty
for input in short empty; do
  fails 4 vchunk <$input
  fails 4 vdedup -r R <$input
  fails 4 vstore put -r R --name b <$input
  is "$(size stdout)" 0
  fails 4 vhd create -o out.vhd <$input
  absent out.vhd
done
cat stream stream >twice
fails 4 vchunk <twice
fails 4 vdedup -r R <short.chunks
fails 4 vstore put -r R --name b <short.chunks
is "$(vstore list -r R b)" ''
for stage in 'vchunk' 'vdedup -r R' 'vstore put -r R --name b' 'vhd create -o out.vhd'; do
  # The failure of the first stage reaches the last through every stage between them.
  status=0
  { vread nothing.raw 2>/dev/null || true; } | $stage >out 2>stderr || status=$?
  is "$stage: $status" "$stage: 4"
  [ -s stderr ] || fail "$stage says nothing"
done

# 10: no such repository or point.
mkdir folder
for repository in nowhere folder disk.raw; do
  for command in list stats check known 'show a' repair-index 'put --name a disk.raw' 'baseline a'; do
    case $command in known | baseline*) command="$command -o list" ;; esac
    # shellcheck disable=SC2086
    fails 10 vstore $command -r $repository
    says "$repository"
  done
  fails 10 vrestore -r $repository a
  fails 10 vdedup -r $repository <chunks
  absent list
done
for point in b a~1 a~99999999999999999999 00000000 :a ''; do
  fails 10 vrestore -r R "$point" --raw
  fails 10 vstore show -r R "$point"
  fails 10 vstore baseline -r R "$point" -o list
done
fails 10 vrestore -r R a:nothing --raw
says 'no such volume' 'hint: it has disk'

# 63: the format cannot do that.
truncate -s 3T large.raw
fails 63 vhd create --type dynamic -o out.vhd large.raw
absent out.vhd

# 64: wrong usage; stdin holds no stream.
for tool in vread vchunk vdedup vstore vrestore vhd; do
  fails 64 $tool --nonsense
  is "$(size stdout)" 0
done
fails 64 vrestore a
fails 64 vstore list
says 'VPIPE_REPO'
fails 64 vstore put -r R disk.raw
fails 64 vstore frobnicate
fails 64 vread
for name in '' 'a b' a/b a:b 'a~1' "$(printf 'a\nb')"; do
  fails 64 vstore put -r R --name "$name" disk.raw
done

# 65: what was read is damaged or no stream at all.
for input in disk.raw id; do
  fails 65 vchunk <$input
  fails 65 vdedup -r R <$input
  fails 65 vstore put -r R --name b <$input
  fails 65 vhd create -o out.vhd <$input
done
cp stream bad
flip bad 3000000
fails 65 vchunk <bad
sed 's/$/\r/' stream >text
fails 65 vchunk <text
fails 65 vhd check disk.raw

# 128+N: a signal.
mkfifo pipe
for signal in 15:TERM 2:INT 1:HUP; do
  exec 3<>pipe
  env --default-signal=INT,HUP,TERM vstore put -r R --name b <pipe >out 2>stderr &
  pid=$!
  head -c 100000 stream >pipe
  sleep 0.3
  kill -"${signal#*:}" "$pid"
  status=0
  wait "$pid" || status=$?
  exec 3>&-
  is "$status" $((128 + ${signal%:*}))
done
is "$(vstore list -r R b)" ''
is "$(point_ids R | wc -l)" 1

# 0: and the repository may come from the environment.
VPIPE_REPO=R works vstore list
VPIPE_REPO=nowhere works vstore list -r R
