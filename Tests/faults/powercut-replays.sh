#!/bin/sh
# The power-cut harness itself: it passes a writer that syncs as it should, on each file system that there is, and finds one
# that forgets its files, its folders or all of it; and it says so when a forgotten fsync was not noticed.
. "$(dirname "$0")/functions.sh"

requires python3 qemu-storage-daemon
requires_root
build_killat
# Other runs may be under way.
POWERCUT_TAG=$$-
export POWERCUT_TAG

cat >prepare <<'EOS'
#!/bin/sh
set -eu
mkdir data sums
echo prepared >there
EOS
cat >run <<'EOS'
#!/bin/sh
set -eu
for name in a b c; do
  head -c 100000 /dev/urandom >"$name.tmp"
  sha256sum <"$name.tmp" >"sums/$name"
  sync "$name.tmp" "sums/$name"
  mv "$name.tmp" "data/$name"
  sync data sums
  acknowledged "$name"
done
EOS
cat >check <<'EOS'
#!/bin/sh
set -eu
[ "$(cat there)" = prepared ]
while read -r name; do [ -e "data/$name" ]; done <"$2"
for file in data/*; do
  [ -e "$file" ] || continue
  [ "$(sha256sum <"$file")" = "$(cat "sums/${file#data/}")" ]
done
touch writable
EOS
chmod +x prepare run check

powercut() {
  "$VPIPE_FAULTS/powercut" --killat "$killat" --prepare ./prepare "$@" ./run ./check
}

for fs in ext4 xfs btrfs; do
  command -v "mkfs.$fs" >/dev/null || continue
  works powercut --fs "$fs" --all --subsets 2
  cat stdout
  grep -q '3 acknowledged; .*: 0 failing' stdout
  for what in all file dir; do
    works powercut --fs "$fs" --drop-fsync "$what"
  done
done

works powercut --list-fsync
is "$(grep -c ' fsync fsync ' stdout)" 6
is "$(grep -c ' dirfsync fsync data$' stdout)" 3
works powercut --drop-fsync 1 # of a.tmp: its content is gone

# Nothing lost, nothing found; and a check that always fails is a failing state.
printf '#!/bin/sh\nexec true\n' >check
fails 1 powercut --drop-fsync all
shows 'nobody noticed'
printf '#!/bin/sh\necho no good; exec false\n' >check
fails 1 powercut --states 3 --subsets 0
shows 'no good'
printf '#!/bin/sh\nexit 9\n' >run
fails 2 powercut
says 'status 9'
[ -z "$(mount | grep "vpipe-powercut-$POWERCUT_TAG" || true)" ] || fail 'something is still mounted'
