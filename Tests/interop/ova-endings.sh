#!/bin/sh
# A file of an archive whose header is damaged does not vanish, least of all the manifest: what is behind an archive's end
# is an error.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3 gzip zip

noise 300K >disk.raw
truncate -s 2M disk.raw
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw app.vmdk
echo "<Envelope><References><File id='f' href='app.vmdk'/></References><DiskSection><Disk diskId='d' fileRef='f'/></DiskSection></Envelope>" >app.ovf
printf 'SHA256(app.ovf)= %s\nSHA256(app.vmdk)= %s\n' "$(digest app.ovf)" "$(digest app.vmdk)" >app.mf

# refused FILE TEXT...: by its name, by a pipe, and compressed.
refused() {
  file=$1
  shift
  fails 65 vread --raw "$file"
  says "$@"
  # shellcheck disable=SC2002 # a pipe is what is tested
  cat "$file" | fails 65 vread --raw -
  says "$@"
  fails 65 vread - <"$file"
  gzip -c "$file" >wrapped.ova.gz
  fails 65 vread --raw wrapped.ova.gz
  says "$@"
}

echo '* a tar: the header of each file after the OVF is wiped out'
for format in ustar gnu pax; do
  for order in 'app.ovf app.vmdk app.mf' 'app.ovf app.mf app.vmdk'; do
    [ $format = ustar ] || [ "$order" = 'app.ovf app.vmdk app.mf' ] || continue
    # shellcheck disable=SC2086
    tar --format=$format -cf good.ova $order
    works vread --raw good.ova
    works vread --raw - <good.ova
    never_says warning
    python3 -c '
import sys, tarfile
for member in tarfile.open("good.ova").getmembers()[1:]:
    # With pax, the extended header comes first, and the one before the bytes is the last.
    print(member.offset_data - 512, member.name)' >places
    while read -r place name; do
      cp good.ova bad.ova
      head -c 512 /dev/zero | put_at bad.ova "$place"
      # What is left of a header of pax is damaged for libarchive, too.
      if [ "$name" = app.mf ] && [ $format != pax ]; then
        refused bad.ova 'archive at byte ' "more than zeros behind the archive's end"
      else
        refused bad.ova 'archive at byte '
      fi
    done <places
  done
done

echo '* what is behind the zeros at the end'
tar --format=ustar -cf good.ova app.ovf app.mf app.vmdk
length=$(size good.ova)
for place in $((length - 1)) "$length" $((length + 5000)) $((length + 3000000)); do
  cp good.ova bad.ova
  printf x | put_at bad.ova "$place"
  refused bad.ova "archive at byte $place: more than zeros behind the archive's end"
done
cp good.ova more.ova
truncate -s +3M more.ova
works vread --raw more.ova
works vread --raw - <more.ova
# A folder at the end is no trouble.
mkdir folder
tar --format=ustar -cf folder.ova app.ovf app.mf app.vmdk folder
works vread --raw folder.ova
works vread --raw - <folder.ova
{ head -c $((length / 512 * 512)) good.ova && tar -cf - app.mf; } >twice.ova
refused twice.ova "more than zeros behind the archive's end"

echo '* a zip: a header between the files is damaged, or something is behind'
rm -f good.zip
zip -q good.zip app.ovf app.vmdk app.mf
works vread --raw good.zip
works vread --raw - <good.zip
python3 -c '
import zipfile
for member in zipfile.ZipFile("good.zip").infolist()[1:]: print(member.header_offset)' >places
while read -r place; do
  cp good.zip bad.zip
  head -c 4 /dev/zero | put_at bad.zip "$place"
  refused bad.zip 'archive at byte '
done <places
{ cat good.zip && echo more; } >bad.zip
refused bad.zip 'does not end with its directory'
