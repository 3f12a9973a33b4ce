# shellcheck shell=sh
# What the tests of FAT, exFAT and btrfs share. Sourced after functions.sh.

# small_tree FOLDER BYTES: real files under long and short names, of about so many bytes in all.
small_tree() {
  mkdir -p "$1/Some Folder/deeper"
  find /usr/share/doc /usr/share/perl /etc /usr/lib -xdev -type f -size -200k -readable 2>/dev/null | LC_ALL=C sort |
    python3 -c '
import os, re, sys
folder, left = sys.argv[1], int(sys.argv[2])
for number, path in enumerate(sys.stdin.read().splitlines()[::5]):
    content = open(path, "rb").read()
    left -= len(content) + 512
    if left < 0:
        break
    name = re.sub("[^A-Za-z0-9._-]", "", os.path.basename(path))
    names = ["F%d.TXT" % number, "Some Folder/%d %s" % (number, name),
             "Some Folder/deeper/%d-\u00fcnd-%s.ende" % (number, name), "readme.%d" % number]
    open(os.fsencode(folder) + b"/" + names[number % 4].encode(), "wb").write(content)' "$1" "$2"
  : >"$1/empty"
}

# small_hashes FOLDER: each file and its hash.
small_hashes() {
  (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# left_out FOLDER FOLDER PATH: of two copies of a tree, the second one has zeros in the files of this folder.
left_out() {
  small_hashes "$1" | grep -vF "  ./$3/" >others
  small_hashes "$2" | grep -vF "  ./$3/" | cmp - others
  find "$1/$3" -type f -size +0 | grep -q . || fail "no file in $3"
  find "$1/$3" -type f -printf '%P\n' >names
  while read -r _name; do
    is "$(size "$1/$3/$_name")" "$(size "$2/$3/$_name")"
    [ "$(tr -d '\000' <"$2/$3/$_name" | wc -c)" = 0 ] || fail "$_name is not left out"
  done <names
}

# kept IMAGE: bytes that are not skipped as free.
kept() {
  works vread --skip zero,free --list --json "$1"
  python3 -c '
import json
volume = json.load(open("stdout"))["volumes"][0]
print(volume["size"] - volume["bytes"].get("free", 0))'
}

# cloned KIND IMAGE: what partclone says it would copy.
cloned() {
  command -v "partclone.$1" >/dev/null || return 0
  "partclone.$1" -c -F -s "$2" -O /dev/null -L partclone.log 2>&1 | tr '\r' '\n' |
    sed -n 's/^Space in use: *\(.*Blocks\).*/\1/p' | head -n 1
}

# about KEPT USED WHAT: what is kept is what is used, or 2 % more at most; or 8 KiB, as holes begin at multiples of 4 KiB.
about() {
  echo "$3: used $2, kept $1"
  [ "$1" -ge "$2" ] || fail "$3: keeps $1 bytes, fewer than the $2 that are used"
  [ $(($1 * 100)) -le $(($2 * 102)) ] || [ "$1" -le $(($2 + 8192)) ] || fail "$3: keeps $1 bytes of $2"
}
