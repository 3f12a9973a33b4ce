#!/bin/sh
# One of several disks is picked by name or number; without that, all are named and nothing is made.
. "$(dirname "$0")/functions.sh"

for disk in one two three; do noise 5M "$(size /proc/self/stat)${#disk}" >$disk.raw; done
vread one.raw two.raw three.raw >stream

fails 64 vhd create -o disk.vhd <stream
says 'several disks: one, two, three' 'hint: pick one of them with --disk'
absent disk.vhd
fails 64 vhd create --disk four -o disk.vhd <stream
says 'no disk is called four' 'hint: there are: one, two, three'
absent disk.vhd
fails 64 vhd create one.raw two.raw -o disk.vhd
absent disk.vhd

number=0
for disk in one two three; do
  for choice in $disk $number; do
    for type in fixed dynamic; do
      vhd create --disk "$choice" --type $type --force -o disk.vhd <stream
      vhd convert disk.vhd back.raw --force
      same back.raw $disk.raw
    done
  done
  vhd create --disk $disk one.raw two.raw three.raw --force -o disk.vhd
  vhd convert disk.vhd back.raw --force
  same back.raw $disk.raw
  number=$((number + 1))
done

# The seal of the whole stream counts, not the end of the disk that was picked.
head -c $(($(size stream) - 1)) stream >broken
fails 4 vhd create --disk one -o cut.vhd <broken
absent cut.vhd

# A number that is another disk's name is no choice.
noise 1M >1.raw
noise 1M 2 >0.raw
vread 1.raw 0.raw >stream
fails 64 vhd create --disk 0 --force -o disk.vhd <stream
says 'number of one disk and the name of another'
vhd create --disk 1 --force -o disk.vhd 1.raw
vhd convert disk.vhd back.raw --force
same back.raw 1.raw
