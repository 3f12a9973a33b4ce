#!/bin/sh
# The tools load neither Foundation nor anything of Swift's, so that they start at once and run where no Swift is.
. "$(dirname "$0")/../cli/functions.sh"

requires ldd
for tool in vread vchunk vdedup vstore vrestore vhd; do
  ldd "$VPIPE_BIN/$tool" >loaded
  grep -q 'libc\.so' loaded
  if grep -E 'libFoundation|lib_Foundation|libicu|not found' loaded >&2; then fail "$tool loads that"; fi
  case $VPIPE_BIN in *release*) if grep libswift loaded >&2; then fail "$tool loads that"; fi ;; esac
  [ "$(wc -l <loaded)" -lt 15 ] || fail "$tool loads $(wc -l <loaded) libraries"
  is "$($tool --version)" "$(vread --version)"
done
