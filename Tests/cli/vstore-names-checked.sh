#!/bin/sh
# A point's name is one that can be asked for again and shown anywhere: 1 to 255 bytes, without ~ / : white space and
# control characters; anything else is refused with status 64 before the source is read.
. "$(dirname "$0")/../cli/functions.sh"

noise 10K >disk.raw
vstore init -r R >/dev/null
long=$(head -c 255 /dev/zero | tr '\0' x)
for name in a 0 web01.example.org web_01-b @ über "$long"; do
  works vstore put -q -r R --name "$name" disk.raw
  works vrestore -r R "$name" --raw
  same stdout disk.raw
  works vstore list -r R --json "$name"
  is "$(wc -l <stdout)" 1
done
points=$(point_ids R | wc -l)
escape=$(printf 'a\033[31mb')
bell=$(printf 'a\007')
delete=$(printf 'a\177')
for name in '' ' ' 'a b' 'a	b' a~1 a/b ../a a:b "$escape" "$bell" "$delete" "${long}x"; do
  fails 64 vstore put -r R --name "$name" nothing.raw
  is "$(size stdout)" 0
done
is "$(point_ids R | wc -l)" "$points"
