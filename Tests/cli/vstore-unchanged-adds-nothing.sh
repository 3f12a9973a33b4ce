#!/bin/sh
# A second run over an unchanged disk adds no chunk and next to nothing else, whichever way it takes.
. "$(dirname "$0")/../cli/functions.sh"

disk=$(make_disk 192M 16M)
vstore init -r R >/dev/null
vstore put -q -r R --name a "$disk" >id
before=$(du -sb R | cut -f 1)

added() {
  python3 -c 'import json; put = json.load(open("stdout")); print(put["added_chunks"], put["added_bytes"])'
}
works vstore put --json -r R --name a "$disk"
is "$(added)" '0 0'
works vstore put --json -r R --name a --no-base "$disk"
is "$(added)" '0 0'
vread "$disk" | works vstore put --json -r R --name a
is "$(added)" '0 0'
vread "$disk" | vchunk | vdedup -r R | works vstore put --json -r R --name a
is "$(added)" '0 0'
vread "$disk" | vchunk | works vstore put --json -r R --name another
is "$(added)" '0 0'
after=$(du -sb R | cut -f 1)
[ $((after - before)) -lt 1048576 ] || fail "$((after - before)) bytes added by five runs"
is "$(point_ids R | wc -l)" 6
vrestore -r R a --raw | cmp - "$disk"
