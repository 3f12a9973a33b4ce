#!/bin/sh
# Power cuts on a file system that keeps no more than POSIX promises (forgetful tells how), after every single change that
# vpipe makes: nothing acknowledged is lost and nothing needs a repair. And with each fsync left out in turn, something is:
# none of them is there for show.
. "$(dirname "$0")/functions.sh"

requires python3 vstore vrestore vhd
build_killat
for number in 1 2; do
  fresh_disk "disk.$number" 3M "$number"
done
power_cut_check check

# forgetful_run ARGUMENT...: the run's lines, all or `run` otherwise, in the file ``said` in $status.
forgetful_run() {
  status=0
  "$VPIPE_FAULTS/forgetful" --killat "$killat" --seed "$VPIPE_SEED" --subsets "$(often 2 20)" "$@" >said 2>&1 || status=$?
  cat said
  if grep -q '^failing' said; then fail 'a power cut does harm'; fi
  [ "$status" -lt 2 ] || fail 'the harness failed'
}

# script NAME: an executable, from standard input.
script() {
  {
    printf '#!/bin/sh\nset -eu\nbase=%s\n' "$PWD"
    cat
  } >"$1"
  chmod +x "$1"
}

echo '* a repository is made, and two points are put'
script run <<'EOS'
vstore init -r R
acknowledged init
for number in 1 2; do
  acknowledged "$number:$(vstore put -r R --name a "$base/disk.$number")"
done
EOS
forgetful_run ./run ./check
# Each put flushes the repository's folder once, for what others may just have made in it: the next scene shows why. That
# somebody is at work matters to points, of which init makes none.
if grep '^not noticed' said | grep -v -e ' dirfsync /R$' -e ' dirfsync /R/writers$'; then fail 'not noticed'; fi
[ "$(grep -c '^not noticed' said)" -le 3 ] || fail 'too many were not noticed'

echo '* its folders were made by another writer, which was killed before it flushed them'
script prepare <<'EOS'
vstore init -r R
find R -type d -empty -delete
EOS
script run <<'EOS'
mkdir R/packs R/index R/points
acknowledged "1:$(vstore put -r R --name a "$base/disk.1")"
EOS
forgetful_run --prepare ./prepare ./run ./check
[ "$status" = 0 ] || fail 'not noticed'

echo '* the same with its pack, which this one takes over'
script prepare <<'EOS'
vstore init -r R
vstore put -r R --name a "$base/disk.2"
cp -R R later
vstore put -r later --name a "$base/disk.1"
for pack in later/packs/*/*; do
  [ -e "R/packs/${pack#later/packs/}" ] || mv "$pack" .
done
rm -r later
EOS
# shellcheck disable=SC2016
killed='
for pack in ????????????????????????????????????????????????????????????????; do
  folder=R/packs/$(printf %.2s "$pack")
  mkdir "$folder"
  mv "$pack" "$folder"
done
'
script run <<EOS
$killed
acknowledged "1:\$(vstore put -r R --name a "$PWD/disk.1")"
EOS
forgetful_run --prepare ./prepare ./run ./check
if grep '^not noticed' said | grep -v ' dirfsync /R$'; then fail 'not noticed'; fi

echo '* the index is made anew, of packs that nobody flushed; a copy of a point, too'
mv prepare prepare-pack
script prepare <<'EOS'
"$base/prepare-pack"
mv R/packs/*/* .
rm -r R/packs/* R/index/* R/copies/0*
EOS
script run <<EOS
$killed
vstore repair-index -r R
acknowledged repaired
EOS
script check-repair <<'EOS'
[ -s "$2" ] || exit 0
vstore check -r R
ls R/index/* R/copies/0*
vrestore -r R a --raw | cmp - "$base/disk.2"
EOS
forgetful_run --prepare ./prepare ./run ./check-repair
if grep '^not noticed' said | grep -v -e ' dirfsync /R$' -e ' dirfsync /R/writers$'; then fail 'not noticed'; fi

echo '* a disk is restored and made a VHD'
script prepare <<'EOS'
vstore init -r R
vstore put -r R --name a "$base/disk.1"
EOS
script run <<'EOS'
vrestore -r R a -o raw
acknowledged raw
vhd create --type dynamic -o vhd "$base/disk.1"
acknowledged vhd
vhd create --type fixed -o fixed "$base/disk.1"
acknowledged fixed
EOS
# Under their names they are whole, acknowledged or not.
script check-files <<'EOS'
while read -r name; do
  [ -e "$name" ] || { echo "$name is gone"; exit 1; }
done <"$2"
if [ -e raw ]; then cmp raw "$base/disk.1"; fi
for name in vhd fixed; do
  if [ -e "$name" ]; then vread --raw "$name" | cmp - "$base/disk.1"; fi
done
EOS
forgetful_run --prepare ./prepare ./run ./check-files
[ "$status" = 0 ] || fail 'not noticed'
