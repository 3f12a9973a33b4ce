#!/bin/sh
# The manual pages are sound mdoc, and refer to pages and sections that are there.
. "$(dirname "$0")/functions.sh"

cd "$VPIPE_TOP/man"

# A page of ours that is referred to is there; each page says its own name and has the sections that all have.
for page in *.[157]; do
  sed -n 's/^\.Xr \(v[a-z-]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u | while read -r other; do
    [ -e "$other" ] || fail "$page refers to $other, which is not there"
    [ "$other" != "$page" ] || fail "$page refers to itself"
  done
  name=${page%.*}
  grep -qx "\.Dt $(echo "$name" | tr '[:lower:]' '[:upper:]') ${page##*.}" "$page" || fail "$page: .Dt is another name"
  grep -qx "\.Nm $name" "$page" || fail "$page: .Nm is another name"
  for section in NAME DESCRIPTION EXAMPLES 'SEE ALSO'; do
    grep -qx "\.Sh $section" "$page" || fail "$page: no section $section"
  done
  case $page in
    *.1) wanted='SYNOPSIS:EXIT STATUS' ;;
    *.7) wanted='ENVIRONMENT:EXIT STATUS' ;;
    *) wanted= ;;
  esac
  echo "$wanted" | tr : '\n' | while read -r section; do
    [ -z "$section" ] || grep -qx "\.Sh $section" "$page" || fail "$page: no section $section"
  done
done

# mandoc looks for pages that are referred to among those that are installed; ours need not be.
requires mandoc
said=$(mandoc -T lint ./*.[157] 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db' || true)
is "$said" ''
