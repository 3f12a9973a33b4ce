# shellcheck shell=sh
# What every shell test starts from. A test is one file, one behaviour:
#
#     #!/bin/sh
#     # A sentence that says what must hold.
#     . "$(dirname "$0")/../cli/functions.sh"
#
#     requires qemu-img
#     noise 1M >disk.raw
#     fails 65 vhd info disk.raw
#     says 'not a VHD'
#
# It runs in a scratch folder of its own, under `set -eu`, with the tools of $VPIPE_BIN first in the path.
# It passes by reaching its end; 77 means skipped. `Tests/cli/run` runs them all, `sh -x FILE` shows one.
#
# Variables: VPIPE_TOP the checkout · VPIPE_BIN the tools · VPIPE_FIXTURES shared disks · VPIPE_ALL=1 the full
# numbers · VPIPE_KEEP=1 leaves the scratch folder · VPIPE_SEED the seed of `noise` and `random`.

set -eu

VPIPE_TOP=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ -z "${VPIPE_BIN:-}" ]; then
  VPIPE_BIN=$VPIPE_TOP/.build/release
  [ -x "$VPIPE_BIN/vstore" ] || VPIPE_BIN=$VPIPE_TOP/.build/debug
fi
VPIPE_SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/vpipe-test-XXXXXX")
: "${VPIPE_FIXTURES:=$VPIPE_SCRATCH/fixtures}" "${VPIPE_SEED:=1}"
export VPIPE_TOP VPIPE_BIN VPIPE_FIXTURES VPIPE_SEED
export PATH="$VPIPE_BIN:$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC0 SWIFT_BACKTRACE=enable=no
export HOME="$VPIPE_SCRATCH/home"
unset VPIPE_REPO VPIPE_PASSWORD_FILE VPIPE_PASSWORD_COMMAND VPIPE_KEY_FILE CDPATH
unset XDG_CACHE_HOME XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR
umask 022
mkdir -p "$HOME" "$VPIPE_SCRATCH/work"
cd "$VPIPE_SCRATCH/work"

vpipe_test_later=
vpipe_test_end() {
  _status=$?
  trap '' EXIT HUP INT TERM
  set +e
  cd "$VPIPE_SCRATCH/work" && eval "$vpipe_test_later"
  cd /
  case $_status in
    0 | 77) ;;
    *) echo "$(basename "$0"): failed with status $_status" >&2 ;;
  esac
  if [ "${VPIPE_KEEP:-0}" = 1 ]; then
    echo "kept: $VPIPE_SCRATCH" >&2
  else
    rm -rf --one-file-system "$VPIPE_SCRATCH"
  fi
  exit "$_status"
}
trap vpipe_test_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# later COMMAND: run this when the test ends, however it ends; the last one given runs first.
later() {
  vpipe_test_later="$*
$vpipe_test_later"
}

# detach DEVICE: give a loop device back, unless it is no longer this test's: its number may be another's by now.
detach() {
  case $(losetup -n -O BACK-FILE "$1" 2>/dev/null) in
    "$VPIPE_SCRATCH"/*) losetup -d "$1" ;;
  esac
}

# skip REASON: end this test as skipped.
skip() {
  echo "skipped: $*" >&2
  exit 77
}

# fail REASON: end this test as failed.
fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# requires COMMAND...: skip the test where one of them is missing.
requires() {
  _missing=
  for _command; do
    command -v "$_command" >/dev/null 2>&1 || _missing="$_missing $_command"
  done
  [ -z "$_missing" ] || skip "missing:$_missing"
}

# requires_root: skip the test for other users.
requires_root() {
  [ "$(id -u)" = 0 ] || skip 'needs root'
}

# requires_mount KIND: skip the test where this user cannot mount images of that file system.
requires_mount() {
  requires_root
  requires losetup mount
  grep -qw "$1" /proc/filesystems || modprobe "$1" 2>/dev/null || skip "the kernel has no $1"
  losetup -f >/dev/null 2>&1 || skip 'no loop devices'
}

# fails STATUS COMMAND...: run it and expect exactly this exit status; its output goes to the files
# `stdout` and `stderr`. With status 0 it is the way to catch the output of something that works.
fails() {
  _expected=$1
  shift
  _status=0
  "$@" >stdout 2>stderr || _status=$?
  if [ "$_status" -ne "$_expected" ]; then
    echo "$(basename "$0"): status $_status, not $_expected: $*" >&2
    head -c 2000 stderr >&2
    exit 1
  fi
}

# works COMMAND...: as `fails 0`.
works() {
  fails 0 "$@"
}

# says TEXT...: each of these texts is in the file `stderr` of the last `fails`.
says() {
  for _text; do
    grep -qF -e "$_text" stderr || {
      echo "$(basename "$0"): stderr does not say: $_text" >&2
      head -c 2000 stderr >&2
      exit 1
    }
  done
}

# never_says TEXT...: none of them is.
never_says() {
  for _text; do
    if grep -F -e "$_text" stderr >&2; then
      fail "stderr says: $_text"
    fi
  done
}

# shows TEXT...: each of these texts is in the file `stdout` of the last `fails`.
shows() {
  for _text; do
    grep -qF -e "$_text" stdout || {
      echo "$(basename "$0"): stdout does not show: $_text" >&2
      head -c 2000 stdout >&2
      exit 1
    }
  done
}

# is ACTUAL EXPECTED: the two texts are the same.
is() {
  [ "$1" = "$2" ] || fail "got: $1
  expected: $2"
}

# same FILE FILE: the two files hold the same bytes.
same() {
  cmp -- "$1" "$2" >&2 || fail "$1 and $2 differ"
}

# absent FILE...: none of them exists.
absent() {
  for _file; do
    if [ -e "$_file" ] || [ -L "$_file" ]; then fail "$_file exists"; fi
  done
}

# size FILE, allocated FILE: bytes in it, bytes that it takes on the disk.
size() {
  stat -L -c %s -- "$1"
}
allocated() {
  stat -L -c '%b %B' -- "$1" | {
    read -r _count _unit
    echo $((_count * _unit))
  }
}

# sizes FILE...: one line each, "BYTES NAME".
sizes() {
  stat -L -c '%s %n' -- "$@"
}

# bytes SIZE: 3, 4K, 5M, 6G as a number.
bytes() {
  case $1 in
    *K) echo $((${1%K} << 10)) ;;
    *M) echo $((${1%M} << 20)) ;;
    *G) echo $((${1%G} << 30)) ;;
    *T) echo $((${1%T} << 40)) ;;
    *) echo "$1" ;;
  esac
}

# digest [FILE]: its SHA-256, alone.
digest() {
  sha256sum "${1:--}" | cut -c 1-64
}

# noise SIZE [SEED]: so many bytes that do not compress, always the same for one seed, on stdout.
noise() {
  perl -e '
    my ($left, $x) = ($ARGV[0], ($ARGV[1] * 2654435761 + 88172645463325252) & 0xffffffff | 1);
    binmode STDOUT;
    while ($left > 0) {
      my @words = map { $x ^= ($x << 13) & 0xffffffff; $x ^= $x >> 17; $x ^= ($x << 5) & 0xffffffff; $x } 1 .. 16384;
      my $piece = pack("V*", @words);
      print substr($piece, 0, $left) or exit 1;
      $left -= length $piece;
    }' "$(bytes "$1")" "${2:-$VPIPE_SEED}"
}

# random LIMIT [SALT]: a number in 0..LIMIT-1 that depends on $VPIPE_SEED and SALT only.
random() {
  echo $((0x$(printf '%s' "$VPIPE_SEED:${2:-}" | sha256sum | cut -c 1-15) % $1))
}

# put_at FILE OFFSET: write stdin into FILE from OFFSET on, keeping the rest.
put_at() {
  dd of="$1" bs=64K seek="$2" oflag=seek_bytes conv=notrunc status=none
}

# flip FILE OFFSET [MASK]: change one byte (a negative OFFSET counts from the end); all bits without a mask.
flip() {
  perl -e '
    my ($name, $offset, $mask) = @ARGV;
    open(my $file, "+<:raw", $name) or die "$name: $!\n";
    $offset += -s $name if $offset < 0;
    sysseek($file, $offset, 0); sysread($file, my $byte, 1) == 1 or die "$name: nothing at $offset\n";
    sysseek($file, $offset, 0); syswrite($file, chr(ord($byte) ^ $mask)) == 1 or die "$name: $!\n";
  ' "$1" "$2" "${3:-255}"
}

# within SECONDS COMMAND...: try it until it succeeds, fail when it does not in time.
within() {
  _limit=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$_limit" ] || fail "not in time: $*"
    sleep 0.05
  done
}

# fixture NAME COMMAND...: the path of a shared read-only file, which COMMAND makes as "$1" once a run.
#     tree=$(fixture tree.tar sh -c 'tar -cf "$1" /etc' sh)
# Tests must not change it: cp --sparse=always gives a copy of their own.
fixture() {
  _fixture=$VPIPE_FIXTURES/$1
  shift
  mkdir -p "$VPIPE_FIXTURES"
  (
    flock 9
    [ -e "$_fixture" ] || {
      "$@" "$_fixture.new" >&2 9>&- || {
        _status=$?
        rm -f "$_fixture.new"
        exit "$_status"
      }
      mv "$_fixture.new" "$_fixture"
    }
  ) 9>"$VPIPE_FIXTURES/lock" || exit $?
  echo "$_fixture"
}

# make_disk SIZE [SWAP [OPTION...]]: the path of a shared raw disk with partitions, file system and swap.
make_disk() {
  requires_make_disk
  fixture "disk-$(printf '%s' "$*" | tr -c 'A-Za-z0-9' -).raw" vpipe_test_disk "$@"
}
requires_make_disk() {
  [ -x "$VPIPE_TOP/scripts/make-disk" ] || skip 'missing: scripts/make-disk'
}
vpipe_test_disk() {
  _disk_size=$1
  shift
  _disk_swap=32M
  if [ $# -gt 1 ]; then
    _disk_swap=$1
    shift
  fi
  "$VPIPE_TOP/scripts/make-disk" --size "$_disk_size" --swap "$_disk_swap" "$@"
}

# small_disk FILE [SEED]: 12 MiB that take no mkfs to make: noise, repetition, holes, a last piece off the grid.
small_disk() {
  truncate -s 12583424 "$1"
  noise 3M "${2:-1}" | put_at "$1" 0
  noise 512K 99 | put_at "$1" 5242880
  noise 512K 99 | put_at "$1" 6295552
  yes "a line of text ${2:-1}" | head -c 1048576 | put_at "$1" 8388608
  noise 512 "${2:-1}" | put_at "$1" 12582912
}

# point_ids REPO [KEY]: the ids (or another key) of all points of a repository, one a line.
point_ids() {
  vstore list -r "$1" --json | json_values "${2:-id}"
}

# json_values KEY: each value of KEY in the points of `vstore list --json` (one object, a list or JSON lines).
json_values() {
  python3 -c '
import json, sys
text, at, values = sys.stdin.read(), 0, []
decoder = json.JSONDecoder()
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    value, at = decoder.raw_decode(text, at)
    values.append(value)
def walk(value):
    if isinstance(value, dict):
        if sys.argv[1] in value and not isinstance(value.get("points"), list):
            yield value[sys.argv[1]]
        else:
            for key, inner in value.items():
                if isinstance(inner, (dict, list)):
                    yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)
for value in values:
    for found in walk(value):
        print(found)
' "$1"
}
