#!/bin/sh
# What scripts/install puts under a prefix is complete: tools that run, man pages that are found, completions that
# complete; a destdir holds the same for packagers, and nothing is written elsewhere.
. "$(dirname "$0")/../cli/functions.sh"

requires bash install
"$VPIPE_TOP/scripts/install" --from "$VPIPE_BIN" --prefix "$PWD/usr" >said
grep -q "in $PWD/usr:" said
for tool in vread vchunk vdedup vstore vrestore vhd; do
  is "$(usr/bin/$tool --version)" "$($tool --version)"
  [ "$(size "usr/bin/$tool")" -lt "$(size "$VPIPE_BIN/$tool")" ] || fail "$tool is not stripped"
  [ -f "usr/share/man/man1/$tool.1" ] || fail "no page for $tool"
  [ -s "usr/share/zsh/site-functions/_$tool" ]
  [ -s "usr/share/fish/vendor_completions.d/$tool.fish" ]
  head -n 1 "usr/share/zsh/site-functions/_$tool" | grep -q "^#compdef $tool"
done
if command -v zsh >/dev/null; then zsh -n usr/share/zsh/site-functions/_vstore; fi
if command -v fish >/dev/null; then fish -n usr/share/fish/vendor_completions.d/vstore.fish; fi
for page in "$VPIPE_TOP"/man/*.[1-8]; do
  [ -f "usr/share/man/man${page##*.}/${page##*/}" ] || fail "${page##*/} is not installed"
  if command -v man >/dev/null; then
    man -M "$PWD/usr/share/man" -w "${page##*.}" "$(basename "${page%.*}")" >found
  fi
done

# The tools work from there, without the build.
noise 1M >disk.raw
(
  PATH=$PWD/usr/bin:/usr/bin:/bin
  vstore init -r R >/dev/null
  vread disk.raw | vchunk | vdedup -r R | vstore put -q -r R --name a >id
  vrestore -r R a --raw | cmp - disk.raw
)

# offers WORD...: what bash offers for the last one.
offers() {
  bash -c '
    for tool in vread vchunk vdedup vstore vrestore vhd; do
      . "usr/share/bash-completion/completions/$tool"
    done
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
    function=$(complete -p "$1") && function=${function##*-F } && function=${function%% *}
    "$function" "$1" "${!#}" "${@: -2:1}"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>complete.said
}
offers vstore 'p' | grep -qx 'put *' || fail "vstore p: $(offers vstore p) $(cat complete.said)"
offers vhd 'co' | grep -qx 'convert *'
offers vread '--sk' | grep -qx -e '--skip *'
offers vstore check '--ju' | grep -qx -e '--junit *'

# here: the names of the files of this folder.
here() {
  find . -mindepth 1 -maxdepth 1 -printf '%P\n'
}

# completes WORD...: what bash offers for the last word is in the lines of stdin, all of it.
completes() {
  sort >../wanted
  offers "$@" | sed 's/ *$//; /^$/d' | sort >../offered
  cmp -s ../wanted ../offered || fail "$*: $(cat ../offered complete.said)"
}
mkdir REPO
cp disk.raw disk.vhd
cp disk.raw web01.base
echo disk.raw | completes vread disk.r
echo web01.base | completes vread --base w
echo REPO | completes vstore put -r RE
echo disk.vhd | completes vhd check disk.v
echo disk.raw | completes vhd convert disk.r
echo disk.vhd | completes vhd convert disk.raw disk.v
echo web01.base | completes vrestore -o we
here | completes vrestore -o ''
here | completes vread ''
here | completes vstore put -r REPO --name a ''
for tool in vchunk vdedup; do
  if offers $tool '' | grep -qx 'help *'; then fail "$tool has no commands"; fi
done
echo help | completes vrestore h
echo web01.base | completes vrestore restore -o we
echo --target-is-zero | completes vrestore -r REPO --ta
printf '%s\n' zero free swap none | completes vstore put --skip ''
printf '%s\n' ova qcow2 qed raw vdi vhd vhdx vmdk | completes vread --format ''
printf '%s\n' aligned fixed rolling | completes vchunk --mode ''
printf '%s\n' fixed dynamic | completes vhd create --type ''
printf '%s\n' vhd vhdx vmdk qcow2 raw ova | completes vrestore export --format ''
offers vdedup --compress 'z' | grep -qx 'zstd *'
offers vstore 'h' | grep -qx 'help *'
if grep -r 'Show subcommand' usr/share/zsh/site-functions/_vread usr/share/fish/*/vread.fish; then
  fail 'vread has no commands'
fi
if command -v zsh >/dev/null; then zsh -n usr/share/zsh/site-functions/_vread; fi
if command -v fish >/dev/null; then fish -n usr/share/fish/vendor_completions.d/vread.fish; fi

# For packagers.
"$VPIPE_TOP/scripts/install" --from "$VPIPE_BIN" --destdir package --prefix /usr >said
(cd usr && find . -type f | sort) >files
(cd package/usr && find . -type f | sort) >package.files
same files package.files
is "$(ls package)" usr

fails 64 "$VPIPE_TOP/scripts/install" --nonsense
fails 64 "$VPIPE_TOP/scripts/install" --prefix
"$VPIPE_TOP/scripts/install" --help | grep -q -e --destdir
