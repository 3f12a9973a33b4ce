#!/bin/sh
# Any damage to any file of a repository is found by check, which names the file, and never makes a restore give
# wrong bytes and status 0.
#
# Damage to the structure (a file missing or cut, a header, a directory or a trailer changed, anything in a file other than
# a pack) is found without reading the data; other damage to a pack with --read-data. Index files are a cache: one that is
# gone is no damage. Without second copies (copies/) and index files everything restores.
. "$(dirname "$0")/functions.sh"

requires python3
fresh_disk base.raw 3M base
fresh_disk d.raw 4M other
new_repository whole
put_disk whole base base.raw
put_disk whole a d.raw
is_clean whole --read-data
(cd whole && find . -type f | sed 's|^\./||' | sort) >files
cp files names
cases=0

# damaged FILE WHAT DEPTH: R/FILE has been damaged like that; DEPTH is `structure` or `data`.
damaged() {
  cases=$((cases + 1))
  when="$1: $2"
  for option in '' --read-data; do
    status=0
    # shellcheck disable=SC2086
    timeout 120 vstore check -r R $option >report 2>&1 || status=$?
    no_crash "$status" "$when: vstore check $option"
    if [ "$2" = deleted ] && [ "${1%%/*}" = index ] && [ "$status" -le 1 ]; then continue; fi # who could name it?
    case $1:$status in
      *:1) ;;
      *:0)
        if [ "$3:$option" != data: ]; then fail "$when: vstore check $option does not find it"; fi
        continue
        ;;
      # Without its config there is no repository to check.
      config:10 | config:65) ;;
      *) fail "$when: vstore check $option ends with status $status: $(head -c 500 report)" ;;
    esac
    grep -qF -e "$(basename "$1")" report || fail "$when: vstore check $option does not name the file: $(head -c 500 report)"
  done
  for name in base a; do
    disk=base.raw
    [ "$name" = base ] || disk=d.raw
    status=0
    timeout 120 vrestore -r R "$name" --raw >raw 2>stderr || status=$?
    no_crash "$status" "$when: vrestore"
    if [ "$status" -eq 0 ]; then
      cmp raw "$disk" >&2 || fail "$when: vrestore gives wrong bytes and status 0"
    else
      case $1 in copies/* | index/*) fail "$when: vrestore ends with status $status: $(head -c 500 stderr)" ;; esac
      [ "$status" -ne 124 ] || fail "$when: vrestore hangs"
      [ -s stderr ] || fail "$when: vrestore says nothing"
      [ "$(size raw)" -le "$(size "$disk")" ] || fail "$when: vrestore writes too much"
      cmp -n "$(size raw)" raw "$disk" >&2 || fail "$when: vrestore has written wrong bytes"
    fi
  done
}

# again FILE: it is whole once more.
again() {
  mkdir -p "R/$(dirname "$1")"
  cp -p "whole/$1" "R/$1"
}

rm -rf R && cp -a whole R
while read -r file; do
  bytes=$(size "whole/$file")
  [ "$bytes" -gt 0 ] || continue
  middle=data
  case $file in packs/*) ;; *) middle=structure ;; esac

  for place in 0 1 9 -1 -2 -9; do
    again "$file"
    [ "$bytes" -ge 10 ] || continue
    flip "R/$file" "$place"
    damaged "$file" "byte $place changed" structure
  done
  for try in $(seq "$(often 3 40)"); do
    again "$file"
    place=$(random "$bytes" "$file $try")
    flip "R/$file" "$place" $((1 << $(random 8 "$file $try mask")))
    damaged "$file" "a bit of byte $place changed" "$middle"
  done
  for cut in 0 $((bytes / 2)) $((bytes - 1)); do
    again "$file"
    truncate -s "$cut" "R/$file"
    damaged "$file" "cut to $cut of $bytes bytes" structure
  done
  again "$file"
  printf x >>"R/$file"
  damaged "$file" 'a byte more' structure
  if [ "$bytes" -gt 4096 ]; then
    again "$file"
    noise 4096 | put_at "R/$file" $((bytes / 2 / 4096 * 4096))
    damaged "$file" '4 KiB changed in the middle' "$middle"
  fi
  for sibling in $(grep "^${file%%/*}/" names | grep -vxF "$file" | head -n 1); do
    again "$file"
    cp "whole/$sibling" "R/$file"
    damaged "$file" "the content of $sibling" structure
  done
  rm "R/$file"
  damaged "$file" 'deleted' structure
  again "$file"
done <files
diff -r whole R >&2 || fail 'check or restore has changed the repository'
echo "$cases damages in $(wc -l <files) files"
