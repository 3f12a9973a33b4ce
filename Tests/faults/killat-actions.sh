#!/bin/sh
# The fault runner itself: what it counts, and that each of its actions does what it says, once and at its place.
. "$(dirname "$0")/functions.sh"

requires python3
build_killat
mkdir in

# Only changes to files below the folder count, over threads and children, not pipes and not standard output.
cat >many.py <<'PY'
import os, sys, threading
def work(name):
    with open("in/" + name, "wb", buffering=0) as file:  # 1 open
        for _ in range(5):
            file.write(b"x" * 100)  # 5 writes
        os.fsync(file)  # 1 sync
threads = [threading.Thread(target=work, args=(n,)) for n in ("a", "b", "c")]
for t in threads: t.start()
for t in threads: t.join()
os.system("mkdir in/sub; echo out; echo elsewhere >outside; echo hi | cat >in/sub/file")  # 1 + 1 + 1
os.rename("in/a", "in/sub/a")  # 1
folder = os.open("in", os.O_RDONLY)
os.fsync(folder)  # 1
os.symlink("nowhere", "in/link")  # 1
os.unlink("in/b")  # 1
open("in/c").read()  # 0
open("in/c", "r+").close()  # 0
PY
works "$killat" -c -v -u in -o report python3 many.py
is "$(cat stdout)" out
is "$(events report)" 28
is "$(grep -c ' write write ' report)" 16
is "$(grep -c ' fsync fsync ' report)" 3
is "$(grep -c ' dirfsync fsync ' report)" 1
grep -q " name rename[a-z0-9]* $PWD/in/a -> $PWD/in/sub/a" report
rm -r in/* && works "$killat" -u in -C sync,remove -o report python3 many.py
is "$(events report)" 5

# The exit status is the command's.
fails 7 "$killat" -o report sh -c 'exit 7'
fails 143 "$killat" -o report sh -c 'kill $$'
fails 127 "$killat" -o report nosuch-command
works "$killat" -o report sh -c '(sleep 0.2; kill -CONT $$) & kill -STOP $$; wait'

# A kill comes before its event and after all earlier ones.
cat >ten.py <<'PY'
import os, sys
file = os.open("in/ten", os.O_WRONLY | os.O_CREAT)
for _ in range(10):
    os.write(file, b"1234567890")
PY
for n in 2 7 11; do
  rm -rf in/*
  fails 137 "$killat" -k "$n" -u in -o report python3 ten.py
  is "$(size in/ten)" $(((n - 2) * 10))
  grep -qx "done $n" report
done
rm -rf in/*
works "$killat" -k 12 -u in -o report python3 ten.py
grep -qx 'not reached' report

# One process, or all of them.
rm -rf in/*
# shellcheck disable=SC2016
works "$killat" -k 5 -u in -o report sh -c 'python3 ten.py; echo $? >status'
is "$(cat status)" 137
is "$(size in/ten)" 30
rm -rf in/* status
fails 137 "$killat" -K 5 -u in -o report sh -c 'sleep 20 | (python3 ten.py; echo on >in/on)'
absent in/on

# Errors, once and from then on; a full disk can still be tidied.
cat >errors.py <<'PY'
import errno, os
file = os.open("in/errors", os.O_WRONLY | os.O_CREAT)
for _ in range(6):
    try: print(os.write(file, b"1234567890"))
    except OSError as problem: print(errno.errorcode[problem.errno])
try: os.fsync(file); print("synced")
except OSError as problem: print(errno.errorcode[problem.errno])
os.unlink("in/errors")
PY
works "$killat" -e EIO 3 -u in -o report python3 errors.py
is "$(tr '\n' ' ' <stdout)" '10 EIO 10 10 10 10 synced '
works "$killat" -E ENOSPC 5 -u in -o report python3 errors.py
is "$(tr '\n' ' ' <stdout)" '10 10 10 ENOSPC ENOSPC ENOSPC ENOSPC '
fails 1 "$killat" -E EROFS 8 -u in -o report python3 errors.py
is "$(tr '\n' ' ' <stdout)" '10 10 10 10 10 10 EROFS '

# Half a write, of every kind.
cat >short.py <<'PY'
import os
file = os.open("in/short", os.O_RDWR | os.O_CREAT)
os.write(file, b"x" * 100)
other = os.open("other", os.O_RDWR | os.O_CREAT)
os.write(other, b"x" * 100)
print(os.pwrite(file, b"x" * 100, 0), os.writev(file, [b"x" * 60, b"x" * 40]), os.pwritev(file, [b"x" * 100], 0),
      os.copy_file_range(other, file, 100, 0), os.sendfile(file, other, 0, 100))
PY
n=3
for expected in '50 100 100 100 100' '100 30 100 100 100' '100 100 50 100 100' '100 100 100 50 100' '100 100 100 100 50'; do
  rm -f in/*
  works "$killat" -s "$n" -u in -o report python3 short.py
  is "$(cat stdout)" "$expected"
  n=$((n + 1))
done

# Calls that are not made and claim that they were.
rm -f in/*
works "$killat" -d 4 -u in -o report python3 ten.py
is "$(size in/ten)" 90
rm -f in/*
works "$killat" -D write -u in -o report python3 ten.py
is "$(size in/ten)" 0
touch in/removed
works "$killat" -d 1 -u in -o report rm in/removed
[ -e in/removed ]

# What it cannot see, it names.
cat >mapped.py <<'PY'
import mmap, os
file = os.open("in/mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 4096)
mmap.mmap(file, 4096)[0] = 1
PY
works "$killat" -u in -o report python3 mapped.py
grep -q '^blind mmap' report

# The sweep finds the writer that changes a file in place and passes the one that renames.
cat >writer.py <<'PY'
import os, sys
def write(name, text):
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for piece in range(0, len(text), 4):
        os.write(file, text[piece:piece + 4])
    os.fsync(file)
    os.close(file)
if sys.argv[1] == "in-place":
    write("in/config", b"version 2 ok")
else:
    write("in/config.new", b"version 2 ok")
    os.rename("in/config.new", "in/config")
PY
sweep() {
  bad=0
  n=1
  while :; do
    rm -f in/*
    printf 'version 1 ok' >in/config
    "$killat" -k "$n" -u in -o report python3 writer.py "$1" && break
    case $(cat in/config) in 'version '?' ok') ;; *) bad=$((bad + 1)) ;; esac
    n=$((n + 1))
  done
  is "$n $bad" "$2"
}
sweep in-place '6 3'
sweep renamed '7 0'
