#!/bin/sh
# An NBD server that fails, hangs up, sends less than it was asked for or lies about holes never makes a shorter disk or
# zeros: status 2, or with --salvage bad places by name. The server is gone in the end, however the tool ends.
. "$(dirname "$0")/../cli/functions.sh"

requires python3 nbdkit pgrep
server=$VPIPE_TOP/Tests/interop/nbd-server.py
noise 11M >disk.raw
truncate -s 17M disk.raw
noise 1M 3 >>disk.raw
size=$(size disk.raw)

# gone: whether no server of this test runs.
gone() {
  if pgrep -f "$PWD" >/dev/null; then return 1; fi
}

echo '* what is wrong about holes is asked again or refused, and costs no data'
for rule in one hole beyond error; do
  vread --raw [ python3 "$server" "$PWD/disk.raw" extents=$rule ] | cmp - disk.raw
  vread --raw [ python3 "$server" "$PWD/disk.raw" extents=$rule multi ] | cmp - disk.raw
done
fails 2 vread --raw [ python3 "$server" "$PWD/disk.raw" extents=empty ]
says 'vread: [ python3 ... ]: bytes 0 to' "the server's answer about holes: protocol error"
works vread --raw --salvage [ python3 "$server" "$PWD/disk.raw" extents=empty ]
same stdout disk.raw
# libnbd itself does not go on with such a server.
fails 2 vread --raw [ python3 "$server" "$PWD/disk.raw" extents=none ]
says 'vread: [ python3 ... ]: bytes 0 to' 'the connection is lost'

echo '* answers that are cut off, too short or noise'
works vstore init -r R
for rule in half nothing twice cut noise; do
  for connections in '' multi; do
    # shellcheck disable=SC2086
    fails 2 vread [ python3 "$server" "$PWD/disk.raw" $rule=9000000-9000001 $connections ]
    says 'vread: [ python3 ... ]: bytes '
    mv stdout cut.stream
    fails 4 vstore put -r R --name x - <cut.stream
    # shellcheck disable=SC2086
    fails 2 vstore put -r R --name x [ python3 "$server" "$PWD/disk.raw" $rule=9000000-9000001 $connections ]
    # shellcheck disable=SC2086
    fails 3 vread --raw --salvage [ python3 "$server" "$PWD/disk.raw" $rule=9000000-9000001 $connections ]
    says 'could not be read'
    is "$(size stdout)" "$size"
    # What was marked as bad is all that differs.
    sed -n 's/.*: bytes \([0-9]*\) to \([0-9]*\) could not be read/\1 \2/p' stderr >bad
    python3 - bad stdout disk.raw <<'P'
import sys
got, disk = (bytearray(open(name, "rb").read()) for name in sys.argv[2:])
for line in open(sys.argv[1]):
    start, end = map(int, line.split())
    assert not any(got[start:end])
    disk[start:end] = bytes(end - start)
assert got == disk
P
  done
done
is "$(point_ids R)" ''
fails 2 vread --raw --salvage [ python3 "$server" "$PWD/disk.raw" cut=0-512 ]
says 'the connection is lost'
vread --raw [ python3 "$server" "$PWD/disk.raw" pieces=0-18874368 multi ] | cmp - disk.raw

echo '* places that the server cannot read'
for connections in '' multi; do
  # shellcheck disable=SC2086
  fails 2 vread [ python3 "$server" "$PWD/disk.raw" error=10000000-10000001 $connections ]
  says 'vread: [ python3 ... ]: bytes ' 'read: input/output error'
  # shellcheck disable=SC2086
  fails 3 vread --raw --salvage [ python3 "$server" "$PWD/disk.raw" error=10000000-10000001 $connections ]
  says 'disk: bytes 9999872 to 10000384 could not be read'
  cp disk.raw expected
  head -c 512 /dev/zero | put_at expected 9999872
  same stdout expected
done
fails 2 vread [ nbdkit --filter=error file disk.raw error-pread-rate=1 error-pread=EIO ]
says 'input/output error'

echo '* sizes and limits that cannot be'
fails 65 vread --list [ python3 "$server" "$PWD/disk.raw" size=72057594037927937 ]
says 'over the limit'
fails 2 vread --list [ python3 "$server" "$PWD/disk.raw" size=9223372036854775808 ]
fails 2 vread --list [ python3 "$server" "$PWD/disk.raw" minimum=3 ]
fails 2 vread --list [ python3 "$server" "$PWD/disk.raw" minimum=1048576 maximum=4096 ]
fails 2 vread --raw [ python3 "$server" "$PWD/disk.raw" size=18874369 minimum=512 ]
within 5 gone

echo '* a command that serves nothing'
fails 2 vread --list [ sh -c 'exit 7' ]
says '[ sh ... ]: the command ended with status 7 and served no disk'
fails 2 vread --list [ sh -c 'kill -9 $$' ]
says 'status 137'
fails 2 vread --list [ "$PWD/none" --secret=1 ]
says 'none ... ]: cannot be started: no such file or directory'
never_says secret
fails 2 vread --list [ nbdkit nothing-of-this-name ]
says 'nbdkit: error:' '[ nbdkit ... ]: the command ended with status 1'

echo '* the server dies meanwhile'
fails 2 vread --raw [ sh -c 'sleep 2 & { sleep 1; kill -9 $$; } & exec nbdkit --filter=delay file disk.raw rdelay=3' ]
says 'the connection is lost'

echo '* it ends with the tool: at the end, on errors, when the tool is killed, when it does not want to'
vread --raw [ nbdkit file "$PWD/disk.raw" ] | cmp - disk.raw
gone || fail 'it is left at the end'
fails 64 vread --raw --skip nonsense [ nbdkit file "$PWD/disk.raw" ]
gone || fail 'it is left after an error'
fails 2 vread [ nbdkit --filter=error file "$PWD/disk.raw" error-pread-rate=1 ]
gone || fail 'it is left after an error'
for signal in TERM INT KILL; do
  # shellcheck disable=SC2016
  env --default-signal=INT sh -c 'exec vread --raw [ nbdkit --filter=delay file "$PWD/disk.raw" rdelay=1 ]' >out 2>err &
  tool=$!
  within 10 pgrep -f "^nbdkit.*$PWD" >/dev/null
  kill -s "$signal" $tool
  wait $tool || :
  within 5 gone
done
cat >stubborn.py <<'P'
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.execvp("python3", ["python3"] + sys.argv[1:])
P
vread --raw [ python3 stubborn.py "$server" "$PWD/disk.raw" ] | cmp - disk.raw
gone || fail 'a stubborn one is left at the end'
[ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'vpipe-socket-*' -user "$(id -u)" -newer disk.raw)" ] ||
  fail 'a folder of a socket is left'
