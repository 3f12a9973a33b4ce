#!/bin/sh
# A file with another format's magic is never taken for a raw disk, unless the user says that it is one.
. "$(dirname "$0")/../cli/functions.sh"

noise 10K >rest
for magic in KDMV vhdxfile 'QFI\373' '# Disk DescriptorFile'; do
  # shellcheck disable=SC2059
  { printf "$magic" && cat rest; } >disk.raw
  fails 63 vread disk.raw
  says 'vread: disk.raw: looks like' 'hint: --format raw'
  vread --raw --format raw disk.raw | cmp - disk.raw
done
