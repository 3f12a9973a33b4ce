#!/bin/sh
# XFS that was not unmounted: after its log is replayed, a copy without free space holds the same files, and all that
# fsync promised. Crash states are those of xfs_io's shutdown, and copies that were made while files were written.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-xfs-functions"

requires xfs_io xfs_freeze xfs_logprint

# busy RECORD SEED: writes, renames and deletes files until it is killed, and records what fsync promised. To be run with &.
busy() {
  exec python3 - mounted "$@" 2>/dev/null <<'PYTHON'
import hashlib, os, random, sys, threading
top, record, seed = sys.argv[1:]
lock = threading.Lock()
log = open(record, "a")
def work(number):
    dice = random.Random(f"{seed}-{number}")
    folder = os.path.join(top, f"busy-{number}")
    os.makedirs(folder, exist_ok=True)
    loose = []
    for turn in range(1 << 30):
        name = os.path.join(folder, f"{seed}-{turn}")
        content = dice.randbytes(dice.choice((10, 3000, 5000, 20000, 100000, 500000)))
        with open(name, "wb") as file:
            file.write(content)
            if dice.randrange(3) == 0:
                file.flush()
                os.fsync(file.fileno())
                with lock:
                    log.write(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
                    log.flush()
            else:
                loose.append(name)
        act = dice.randrange(9)
        if act == 0 and loose:
            os.rename(loose[-1], loose[-1] + "r")
            loose[-1] += "r"
        if 0 < act < 5 and loose:
            os.unlink(loose.pop(dice.randrange(len(loose))))
        if act == 5 and loose:
            with open(loose[-1], "r+b") as file:
                file.seek(dice.randrange(1 << 20))
                file.write(dice.randbytes(9000))
        if act == 6:
            few = os.path.join(folder, f"few {seed} {turn}")
            os.mkdir(few)
            for one in range(dice.randrange(30)):
                open(os.path.join(few, "x" * dice.randrange(1, 60) + str(one)), "w").close()
        if act == 7:
            for one in range(5):
                os.setxattr(folder, f"user.{one}", dice.randbytes(dice.randrange(1500)))
        if act == 8 and dice.randrange(4) == 0:
            os.sync()
threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
PYTHON
}

unmounted() {
  umount mounted 2>/dev/null
}

# recovered IMAGE: replays its log; the files that it holds then, and what xfs_repair says.
recovered() {
  xfs_mount "$1" || fail "$1 cannot be mounted"
  [ ! -s promised ] || sha256sum --quiet -c promised >&2 || fail "$1 lost what fsync promised"
  (cd mounted && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum && find . | LC_ALL=C sort)
  umount mounted
  if xfs_repair -n "$1" >repair.log 2>&1; then echo 'xfs_repair is content'; else echo 'xfs_repair is not'; fi
}

# state HOW: brings the image into such a state, and proves what is skipped of it.
state() {
  xfs_mount image
  [ "$(df --output=pcent mounted | tr -dc 0-9)" -lt 60 ] || rm -rf mounted/busy-*/*[02468] mounted/busy-*/few*
  rm -f record
  : >record
  busy record "$number" &
  pid=$!
  sleep "$(awk "BEGIN {print 0.2 + $(random 10 "$number") / 8}")"
  # What is promised before counts.
  cp record promised
  source=image
  case $1 in
    shutdown) xfs_io -x -c shutdown mounted ;;
    flush) xfs_io -x -c 'shutdown -f' mounted ;;
    live)
      source=live
      cp --sparse=always image live
      ;;
    frozen)
      source=live
      xfs_freeze -f mounted
      cp --sparse=always image live
      xfs_freeze -u mounted
      ;;
  esac
  kill "$pid" 2>/dev/null || :
  wait "$pid" 2>/dev/null || :
  within 60 unmounted
  cp --sparse=always "$source" original
  works vread --skip zero,free --raw original
  mv stdout copy
  grep 'read whole' stderr >&2 && doubts=$((doubts + 1))
  free=$(vread --skip zero,free --list --json original 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["volumes"][0]["bytes"].get("free", 0))')
  echo "$1: $(xfs_logprint -t original 2>/dev/null | sed -n 's/.*log tail/log tail/p'), $free bytes free," \
    "$(wc -l <promised) promised"
  recovered original >before
  recovered copy >after
  same before after
  rm -f original copy live
}

# states COUNT SIZE OPTION...: so many, of a file system that mkfs.xfs makes so.
states() {
  count=$1
  shift
  xfs_make image "$@"
  while [ "$count" -gt 0 ]; do
    number=$((number + 1))
    case $((count % 5)) in
      0) state live ;;
      1) state frozen ;;
      2) state flush ;;
      *) state shutdown ;;
    esac
    count=$((count - 1))
  done
}

number=0
doubts=0
if [ "${VPIPE_ALL:-0}" = 1 ]; then
  states 25 400M -m rmapbt=0
  states 25 400M -m rmapbt=1,reflink=1 -i nrext64=1
  states 15 400M -b size=1024
  states 10 600M -b size=65536 -l size=64m
  states 15 400M -s size=4096 -l su=64k -d agcount=3
  states 10 400M -m bigtime=0,finobt=0,inobtcount=0,reflink=0,rmapbt=0 -i sparse=0
else
  states 3 160M -m rmapbt=1
fi
echo "$number states, $doubts read whole"
[ $((doubts * 5)) -le "$number" ] || fail 'most logs should be understood'
