# shellcheck shell=sh
# What the fault tests share, on top of Tests/cli/functions.sh:
#
#     . "$(dirname "$0")/functions.sh"
#
# A repetition count is written as `$(often 5 200)`: 5 by default, 200 with --all.

. "$(dirname "$0")/../cli/functions.sh"

VPIPE_FAULTS=$VPIPE_TOP/Tests/faults

# often FEW ALL: how often to do it.
often() {
  if [ "${VPIPE_ALL:-0}" = 1 ]; then echo "$2"; else echo "$1"; fi
}

# build_killat: builds the fault runner where it is not yet there, as $killat (killat.c tells the options).
build_killat() {
  requires cc
  # shellcheck disable=SC2016
  killat=$(fixture killat sh -c 'cc -O2 -Wall -Wextra -o "$2" "$1"' sh "$VPIPE_FAULTS/killat.c") || exit $?
  _status=0
  "$killat" -o /dev/null true 2>killat.message || _status=$?
  if [ "$_status" = 125 ]; then skip "$(cat killat.message)"; fi
}

# events REPORT: how many events the report of a killat run counted.
events() {
  sed -n 's/^events //p' "$1"
}

# make_toys FOLDER: toy versions of the tools (toys.py), to test the tests with.
make_toys() {
  mkdir -p "$1"
  for _tool in vread vchunk vdedup vstore vrestore vhd; do
    ln -sf "$VPIPE_FAULTS/toys.py" "$1/$_tool"
  done
}

# frames ACTION STREAM ...: takes streams apart (frames.py).
frames() {
  python3 "$VPIPE_FAULTS/frames.py" "$@"
}

# fresh_disk FILE SIZE SEED: a disk with content that no other seed has, with holes, repetition and text.
fresh_disk() {
  python3 -c '
import random, sys
name, size, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
source, piece = random.Random(seed), 1 << 20
again = random.Random("always the same").randbytes(piece)
with open(name, "wb") as file:
    file.truncate(size)
    for number, at in enumerate(range(0, size, piece)):
        kind = number % 8
        if kind in (2, 5):
            continue
        data = again if kind == 3 else source.randbytes(piece)
        if kind == 6:
            data = b"%x " % source.getrandbits(60) * (piece // 8)
        file.seek(at)
        file.write(data[: min(piece, size - at)])
' "$1" "$(bytes "$2")" "$3"
}

# no_crash STATUS WHAT: fails when the status is that of a crash or a trap.
no_crash() {
  case $1 in 132 | 133 | 134 | 135 | 136 | 139) fail "$2: crashed with status $1" ;; esac
}

# new_repository REPO: an empty one.
new_repository() {
  requires vread vchunk vdedup vstore vrestore vhd
  rm -rf "$1"
  works vstore init -r "$1"
}

# put_disk REPO NAME FILE: puts it, the point's id is then in $point.
put_disk() {
  works vstore put -r "$1" --name "$2" "$3"
  # shellcheck disable=SC2034
  point=$(tail -n 1 stdout)
}

# restores REPO POINT FILE [WHEN]: the point holds exactly the bytes of the file.
restores() {
  _status=0
  vrestore -r "$1" "$2" --raw >restored.raw 2>stderr || _status=$?
  if [ "$_status" -ne 0 ]; then
    head -c 2000 stderr >&2
    fail "${4:-point $2}: restoring point $2 ends with status $_status"
  fi
  cmp restored.raw "$3" >&2 || fail "${4:-point $2}: point $2 has come back with other bytes than $3"
  rm -f restored.raw
}

# is_clean REPO [OPTION...]: `vstore check` finds nothing.
is_clean() {
  vstore check -r "$@" >stdout 2>stderr || {
    _status=$?
    head -c 2000 stdout stderr >&2
    fail "vstore check -r $*: status $_status"
  }
}

# new_points REPO FILE: the ids of its points that are not in this file.
new_points() {
  point_ids "$1" >points.now
  grep -vxF -f "$2" points.now || true
}

# only_old REPO FILE WHEN: it has exactly the points of this file.
only_old() {
  _found=$(new_points "$1" "$2")
  [ -z "$_found" ] || fail "$3: there is a new point: $_found"
  is "$(sort points.now)" "$(sort "$2")"
}

# record_streams: a repository R with one point, `base`, of base.raw; of another disk, d.raw, the streams between
# the stages: s1 from vread, s2 from vchunk, s3 from vdedup, and restored, from vrestore; the ids in `known`.
record_streams() {
  fresh_disk base.raw 9M base
  fresh_disk d.raw 9M other
  new_repository R
  put_disk R base base.raw
  point_ids R >known
  vread d.raw >s1
  vchunk <s1 >s2
  vdedup -r R <s2 >s3
  vrestore -r R base >restored
}

# refused STREAM STATUSES WHEN: no tool takes this stream for a whole one: what reads it ends with one of these
# statuses, and nothing is committed or left behind.
refused() {
  for _reader in 'vstore put -r R --name cut' vchunk 'vdedup -r R' 'vhd create -o cut.vhd'; do
    case $1:$_reader in
      s[23].*:vhd*) continue ;; # vhd knows no chunks that lie elsewhere
      restored.*:vchunk | restored.*:vdedup*) continue ;;
    esac
    _status=0
    # shellcheck disable=SC2086
    timeout 60 $_reader <"$1" >passed 2>stderr || _status=$?
    case " $2 " in
      *" $_status "*) ;;
      *) fail "$3: $_reader ends with status $_status: $(head -c 1000 stderr)" ;;
    esac
    _left=$(find . -name '*cut.vhd*')
    [ -z "$_left" ] || fail "$3: $_reader leaves $_left"
    case $_reader in
      vchunk | vdedup*)
        _status=0
        vstore put -r R --name cut <passed >id 2>stderr || _status=$?
        [ "$_status" = 4 ] || fail "$3: what $_reader passed on is taken by vstore put, with status $_status"
        ;;
    esac
  done
  only_old R known "$3"
}

# power_cut_check FILE: makes the script that looks at a repository R after a power cut, for powercut and forgetful. The
# disks that were put are disk.N in this folder; what was acknowledged is "init", or NUMBER:POINT a line.
power_cut_check() {
  cat >"$1" <<EOS
#!/bin/sh
set -eu
restores() {
  vrestore -r R "\$1" --raw >"\$2.raw"
  cmp "\$2.raw" "$PWD/disk.\$2"
  rm "\$2.raw"
}
while IFS=: read -r number point; do
  echo "acknowledged \$number \$point"
  if [ "\$number" = init ]; then
    ls R/config R/copies/config
    continue
  fi
  restores "\$point" "\$number"
  ls R/points/*"\$point" R/copies/*"\$point"
done <"\$2"
if [ ! -s "\$2" ] && [ ! -e R/config ]; then
  echo 'vstore init had not ended: again'
  vstore init -r R
fi
vstore list -r R --json | grep -o '"id": *"[^"]*"' | cut -d '"' -f 4 >points
while read -r point; do
  echo "listed point \$point"
  vrestore -r R "\$point" --raw >raw
  for disk in "$PWD"/disk.*; do
    if cmp -s raw "\$disk"; then rm raw; break; fi
  done
  if [ -e raw ]; then echo 'it is none of the disks'; exit 1; fi
done <points
echo 'check'
vstore check -r R --read-data
echo 'the next put'
restores "\$(vstore put -r R --name a "$PWD/disk.1")" 1
EOS
  chmod +x "$1"
}
