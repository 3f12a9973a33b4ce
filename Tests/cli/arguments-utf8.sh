#!/bin/sh
# A name that is no UTF-8 is refused before anything is done: it never means the file of the name that it would
# be shown as.
. "$(dirname "$0")/functions.sh"

bad=$(printf 'disk\351.raw')
shown=$(printf 'disk\357\277\275.raw')
noise 1M >"$bad"
noise 2M 7 >"$shown"
cp "$shown" before
noise 1M 3 >disk.raw
vstore init -r R >/dev/null
vstore put -q -r R --name a disk.raw >id
vread disk.raw >stream

# refuses WORD COMMAND...: with 64, the word as it can be shown, and what to do; nothing on stdout.
refuses() {
  _word=$1
  shift
  fails 64 "$@" <stream
  is "$(size stdout)" 0
  says "$_word: " 'is not UTF-8' 'hint: '
}

refuses "$shown" vread --list "$bad"
refuses "$shown" vread "$bad"
refuses "--spool=$shown" vread --list "--spool=$bad" disk.raw
refuses "$shown" vchunk --repo "$bad"
refuses "$shown" vdedup --repo "$bad"
refuses "$shown" vstore put -r R --name b "$bad"
refuses "$shown" vstore list -r "$bad"
refuses "$shown" vrestore -q -r R a --force -o "$bad"
refuses "$shown" vhd convert --force disk.raw "$bad"
refuses "$shown" vhd info "$bad"
refuses "$shown" vread --list [ nbdkit file "$bad" ]
refuses "/$shown" vread --exclude "/$bad" disk.raw
refuses "$shown" vstore help "$bad"
refuses "$shown" vstore "$bad"
for tool in vread vchunk vdedup vstore vrestore vhd; do
  refuses "$shown" "$tool" --help "$bad"
  fails 64 "$tool" --json "$bad" <stream
  python3 -c 'import json; assert json.load(open("stderr"))["status"] == 64'
done
same "$shown" before
is "$(size "$bad")" 1048576
is "$(vstore list -r R | wc -l)" "$(vstore list -r R a | wc -l)"

# The variables that name folders.
refuses "VPIPE_REPO: $shown" env VPIPE_REPO="$bad" vstore list
refuses "TMPDIR: $shown" env TMPDIR="$bad" vread --audit disk.raw

# Lists of patterns: the line is told.
printf '/tmp/**\r\n# a\n\n/a\351\n' >list
fails 64 vread --exclude-from list disk.raw
says 'list:4: ' 'is not UTF-8'
printf '/tmp/b\357\277\275**\n/x\303' >list
fails 64 vread --exclude-from list disk.raw
says 'list:2: ' 'is not UTF-8'
printf '/tmp/caf\303\251/**\n' >list
works vread -q --exclude-from list disk.raw

# What the hints say works: another name, a link to what is read, stdin.
ln -s "$bad" link.raw
works vread --raw link.raw
same stdout "$bad"
works vread --raw --format raw - <"$bad"
same stdout "$bad"

# A link is no way around it for what is written or opened by the name that it leads to.
fails 2 vrestore -q -r R a --force -o link.raw
says 'link.raw: '
same "$shown" before
is "$(size "$bad")" 1048576

# Where the working folder's own name is no UTF-8, names in it do what they do elsewhere.
mkdir "$(printf 'f\351')"
cd "$(printf 'f\351')"
works vread --raw ../disk.raw
same stdout ../disk.raw
works vrestore -q -r ../R a -o copy.raw
same copy.raw ../disk.raw
works vrestore -q -r ../R a --force -o copy.raw
same copy.raw ../disk.raw
cp -r ../R R
fails 64 vrestore -q -r R a -o R/copy.raw
says 'lies in the repository'
