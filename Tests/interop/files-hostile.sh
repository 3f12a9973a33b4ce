#!/bin/sh
# A machine cannot write outside the folder that its files are restored into, whatever names and links it has.
. "$(dirname "$0")/../cli/functions.sh"

requires mke2fs debugfs python3
mkdir -p outside tree/dir tree/xyz1/sub tree/loop/inner
echo original >outside/file
echo good >tree/dir/good
echo evil >tree/xyz1/file
echo evil >tree/ab
echo evil >tree/p_q
ln -s "$PWD/outside" tree/xyz0
truncate -s 16M fs.raw
mke2fs -q -F -t ext4 -b 1024 -O ^metadata_csum,^dir_index -d tree fs.raw
debugfs -w -f - fs.raw >/dev/null 2>&1 <<'END2'
link loop loop/inner/again
link dir dir2
END2
# A link, then a folder of the same name; names that lead elsewhere.
python3 - <<'END2'
content = bytearray(open('fs.raw', 'rb').read())
def rename(old, new):
    place = content.find(bytes([len(old), 2]) + old)
    if place < 0:
        place = content.find(bytes([len(old), 1]) + old)
    assert place > 0, old
    content[place + 2:place + 2 + len(old)] = new
rename(b'xyz1', b'xyz0')
open('same-name.raw', 'wb').write(content)
rename(b'p_q', b'p/q')
open('slash.raw', 'wb').write(content)
END2
vstore init -r R >/dev/null
vstore put -q -r R --name same same-name.raw >/dev/null
vstore put -q -r R --name slash slash.raw >/dev/null

for options in '' --force; do
  rm -rf copy
  # shellcheck disable=SC2086
  fails 3 vrestore files -q -r R same / -o copy $options
  says 'xyz0: ' 'loop/inner/again: a folder that was somewhere else already'
  is "$(ls outside)" file
  is "$(cat outside/file)" original
  same copy/ab tree/ab
  [ -e copy/dir/good ] || [ -e copy/dir2/good ] || fail 'good files are missing'
done
fails 3 vrestore ls -r R same -R /
says 'loop/inner/again'

# A name with a slash is damage, which is told; nothing leads anywhere.
rm -rf copy
fails 3 vrestore files -q -r R slash / -o copy
absent copy/p
is "$(ls outside)" file

# What is in the target already leads nowhere either.
vstore put -q -r R --name clean fs.raw >/dev/null
mkdir target
ln -s "$PWD/outside" target/dir
ln -s "$PWD/outside/file" target/ab
fails 64 vrestore files -q -r R clean /dir -o target
fails 64 vrestore files -q -r R clean /dir /ab -o target --force
says 'target/dir: is no folder'
works vrestore files -q -r R clean /ab -o target --force
is "$(ls outside)" file
is "$(cat outside/file)" original
same target/ab tree/ab
[ ! -L target/ab ] || fail 'the link was not replaced'

# Damage: any byte of the structures, and all of them cut off; nothing hangs, crashes or gets out.
for seed in $(seq 12); do
  cp fs.raw damaged.raw
  for i in $(seq 40); do flip damaged.raw "$(random 300000 "$seed.$i")" "$((1 + $(random 255 "m$seed.$i")))"; done
  vstore put -q -r R --name damaged damaged.raw >/dev/null
  rm -rf copy
  status=0
  timeout 60 vrestore files -q -r R damaged / -o copy >/dev/null 2>stderr || status=$?
  case $status in
    0 | 2 | 3 | 10 | 64) ;;
    *) fail "seed $VPIPE_SEED/$seed: status $status" ;;
  esac
  is "$(ls outside)" file
  is "$(cat outside/file)" original
done
