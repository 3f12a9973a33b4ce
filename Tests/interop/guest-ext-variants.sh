#!/bin/sh
# Free space of ext2, ext3 and ext4, whatever features mke2fs gives them, is skipped: all of it, and nothing else.
. "$(dirname "$0")/../cli/functions.sh"
. "$VPIPE_TOP/Tests/interop/guest-ext-functions"

# NAME SIZE OPTION...: one file system with files. Where the kernel cannot mount it, mke2fs puts files into it.
variant() {
  name=$1.img
  shift
  if ext_make "$name" "$@"; then
    ext_proves "$name"
  else
    rm -f "$name"
    mkdir -p files
    [ -e files/etc ] || tar -xf "$(ext_tree)" -C files
    truncate -s "$1" "$name"
    shift
    mke2fs -q -F -d files "$@" "$name" >mke2fs.log 2>&1 || {
      cat mke2fs.log >&2
      fail "mke2fs $*"
    }
    ext_proves "$name" unmounted
  fi
  rm -f "$name"
}

variant ext4 96M -t ext4 -b 4096
variant ext4-1k 96M -t ext4 -b 1024
variant ext2 64M -t ext2 -b 1024
variant ext3 64M -t ext3 -b 4096
variant clusters 96M -t ext4 -b 1024 -O bigalloc -C 8192
variant meta 96M -t ext4 -b 1024 -O meta_bg,^resize_inode -g 2048
variant inline 96M -t ext4 -b 2048 -O inline_data,^has_journal
variant uninit 96M -t ext4 -b 4096 -O uninit_bg,^metadata_csum,^64bit -g 4096
[ "${VPIPE_ALL:-0}" = 1 ] || exit 0

for size in 1024 2048 4096; do
  variant ext2-$size 96M -t ext2 -b $size
  variant ext3-$size 96M -t ext3 -b $size
  variant ext4-$size 128M -t ext4 -b $size
  for features in 64bit ^64bit ^metadata_csum ^metadata_csum,uninit_bg ^metadata_csum,^uninit_bg metadata_csum_seed \
    meta_bg,^resize_inode meta_bg,^resize_inode,^64bit ^has_journal inline_data ^flex_bg ^flex_bg,^metadata_csum,uninit_bg \
    sparse_super2,^resize_inode sparse_super2,meta_bg,^resize_inode ^sparse_super,^resize_inode ^extent,^64bit ^dir_index large_dir ea_inode \
    encrypt verity fast_commit mmp orphan_file quota,project casefold stable_inodes ^filetype,^dir_index \
    ^resize_inode; do
    variant "ext4-$size-$features" 128M -t ext4 -b $size -O "$features"
    variant "ext4-$size-$features-small" 128M -t ext4 -b $size -O "$features" -g 2048
  done
  for cluster in 2 4 16; do
    # mke2fs takes no more blocks for a group than a bitmap of its own would have bits.
    group=$((2048 * cluster < 8 * size ? 2048 * cluster : 8 * size))
    variant ext4-$size-bigalloc-$cluster 128M -t ext4 -b $size -O bigalloc -C $((size * cluster))
    variant ext4-$size-bigalloc-meta-$cluster 128M -t ext4 -b $size -O bigalloc,meta_bg,^resize_inode -C $((size * cluster)) \
      -g $group
    variant ext4-$size-bigalloc-old-$cluster 128M -t ext4 -b $size -O bigalloc,^metadata_csum,uninit_bg,^64bit \
      -C $((size * cluster))
  done
  variant ext4-$size-flex4 128M -t ext4 -b $size -G 4 -g 2048
  variant ext4-$size-packed 128M -t ext4 -b $size -E packed_meta_blocks=1
  variant ext4-$size-inode512 128M -t ext4 -b $size -I 512
  variant ext4-$size-lazy 128M -t ext4 -b $size -E lazy_itable_init=1,lazy_journal_init=1
done
variant ext2-old 96M -t ext2 -b 1024 -r 0
variant ext4-inode128 96M -t ext4 -I 128
variant ext4-8k 128M -t ext4 -b 8192
variant ext4-64k 512M -t ext4 -b 65536
variant ext4-odd 123457K -t ext4 -b 1024
variant ext4-odd-4k 123459K -t ext4 -b 4096
variant ext4-resize 128M -t ext4 -b 4096 -E resize=1T
