#!/bin/sh
# One disk, in each container and variant that qemu-img writes, reads the same; stored in seven of them it is stored once.
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img qemu-io

# variant FORMAT [OPTION...]: $disk in a container, as image.FORMAT, reads as $disk.
variant() {
  format=$1
  shift
  echo "* $format $*"
  rm -f "image.$format"
  qemu-img convert -f raw -O "$format" "$@" "$disk" "image.$format"
  vread --raw "image.$format" | cmp - "$disk" || fail "$format $* reads wrong"
}

# A size that is no multiple of any block.
disk=disk.raw
cp --sparse=always "$(make_disk 192M 16M)" $disk
chmod u+w $disk
length=314574336
[ "${VPIPE_ALL:-0}" != 1 ] || length=4563403264
truncate -s $length $disk
noise 1536 8 | put_at $disk $((length - 1536))

variant vmdk -o compat6=on,adapter_type=lsilogic
variant vmdk -o zeroed_grain=on
variant vmdk
variant vmdk -o subformat=monolithicFlat
variant vmdk -o subformat=twoGbMaxExtentSparse
variant vmdk -o subformat=twoGbMaxExtentFlat
variant vmdk -o subformat=streamOptimized
variant qcow2 -o compat=0.10
for cluster in 512 4K 2M; do
  variant qcow2 -o cluster_size=$cluster
done
variant qcow2 -o preallocation=metadata
variant qcow2 -o lazy_refcounts=on,refcount_bits=1
variant qcow2 -o extended_l2=on,cluster_size=128K
variant qcow2 -c -o extended_l2=on
variant qcow2 -c -o cluster_size=2M
variant qcow2 -c -o compression_type=zstd
cp image.qcow2 zstd.qcow2
variant qcow2 -c
variant vdi -o static=on
variant vdi
variant qed -o cluster_size=4K,table_size=16
variant qed
variant vpc -o force_size
works vread --list image.qcow2
shows "($length bytes), qcow2"

echo '* seven containers, stored once'
cp image.vmdk sparse.vmdk
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized $disk stream.vmdk
qemu-img convert -f raw -O vhdx $disk image.vhdx
works vstore init -r R
works vstore put -q -r R --name disk $disk
before=$(du -sb R/packs | cut -f 1)
for file in image.vhdx sparse.vmdk stream.vmdk image.qcow2 zstd.qcow2 image.vdi image.qed image.vpc; do
  works vstore put -q -r R --name "$file" "$file"
done
after=$(du -sb R/packs | cut -f 1)
[ $(((after - before) * 1000)) -lt "$before" ] || fail "$before bytes became $after"
vrestore -r R image.vhdx --raw | cmp - $disk

echo '* data that came late, and zeros that were written over data'
for format in vhdx vmdk qcow2 qed vdi; do
  rm -f late
  qemu-img create -q -f $format late 300M
  qemu-io -f $format -c 'write -P 1 200M 3M' -c 'write -P 2 64K 64K' -c 'write -P 3 299M 1M' late >/dev/null
  case $format in
    qcow2 | qed) qemu-io -f $format -c 'write -z 201M 1M' -c 'write -P 4 70K 512' late >/dev/null ;;
  esac
  qemu-img convert -f $format -O raw late expected
  vread --raw --format $format late | cmp - expected
done

# Over 4 GiB, where the entries for sector bitmaps begin to matter.
disk=large.raw
mv disk.raw large.raw
truncate -s 4563403264 large.raw
noise 5M 7 | put_at large.raw 4290772992
noise 1536 8 | put_at large.raw 4563401728
variant vpc -o force_size
variant vpc -o force_size,subformat=fixed
variant vhdx -o subformat=fixed
for block in 1M 2M 256M; do
  variant vhdx -o block_size=$block
done
variant vmdk -o subformat=streamOptimized
