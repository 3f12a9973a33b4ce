internal import Bytes

/// How new a block of metadata is, and its checksum: where each kind of version 5 has them.
///
/// Linux, fs/xfs/xfs_buf_item_recover.c, `xlog_recover_get_buf_lsn`; fs/xfs/libxfs/xfs_format.h,
/// xfs_da_format.h.
enum XFSStamp {
  /// The kinds of buffers that tell what is free, as items of the log number them.
  enum Kind: UInt16 {
    case tree = 4
    case freeSpace = 5
    case freeList = 6
    case inodes = 7
    case superblock = 18

    /// Whether a buffer of this kind can be there.
    func isPlace(_ offset: UInt64, _ count: UInt64, in superblock: XFSSuperblock) -> Bool {
      guard offset < superblock.byteCount else { return false }
      let unit = superblock.blockByteCount
      let sector = UInt64(superblock.sectorByteCount)
      let inGroup = offset % (superblock.groupBlockCount * unit)
      switch self {
      case .tree: return count == unit && offset % unit == 0 && inGroup >= sector * 4
      case .superblock: return count == sector && offset == 0
      case .freeSpace: return count == sector && inGroup == sector
      case .inodes: return count == sector && inGroup == sector * 2
      case .freeList: return count == sector && inGroup == sector * 3
      }
    }
  }

  private struct Fields {
    var sequence: Int
    var uuid: Int
    var checksum: Int
  }

  /// Where the fields are; nil for what is no metadata or does not tell.
  private static func fields(of bytes: [UInt8]) -> Fields? {
    let span = bytes.span
    guard span.count >= 512 else { return nil }
    switch UInt32(truncatingIfNeeded: span.big64(at: 0) >> 32) {
    // AB3B, AB3C, IAB3, FIB3, RMB3, R3FC
    case 0x4142_3342, 0x4142_3343, 0x4941_4233, 0x4649_4233, 0x524D_4233, 0x5233_4643:
      return Fields(sequence: 24, uuid: 32, checksum: 52)
    // BMA3
    case 0x424D_4133: return Fields(sequence: 32, uuid: 40, checksum: 64)
    // XAGF, XAGI, XAFL, XFSB
    case 0x5841_4746: return Fields(sequence: 208, uuid: 64, checksum: 216)
    case 0x5841_4749: return Fields(sequence: 320, uuid: 296, checksum: 312)
    case 0x5841_464C: return Fields(sequence: 24, uuid: 8, checksum: 32)
    case 0x5846_5342: return Fields(sequence: 240, uuid: 32, checksum: 224)
    // XSLM
    case 0x5853_4C4D: return Fields(sequence: 48, uuid: 16, checksum: 12)
    // XDB3, XDD3, XDF3
    case 0x5844_4233, 0x5844_4433, 0x5844_4633:
      return Fields(sequence: 16, uuid: 24, checksum: 4)
    default: break
    }
    switch span.big64(at: 8) >> 48 {
    // Leaves and nodes of directories and attributes.
    case 0x3DF1, 0x3DFF, 0x3EBE, 0x3BEE: return Fields(sequence: 24, uuid: 32, checksum: 12)
    default: return nil
    }
  }

  /// The place in the log of the change that a block was last written with.
  ///
  /// - Returns: Nil when it does not tell, or is another file system's: then it is older than any.
  static func sequence(of bytes: [UInt8], _ superblock: XFSSuperblock) -> UInt64? {
    guard let fields = fields(of: bytes) else { return nil }
    let isOwn =
      bytes[fields.uuid..<fields.uuid + 16].elementsEqual(superblock.metadataUUID)
      || fields.uuid == 32 && fields.sequence == 240
    let sequence = bytes.span.big64(at: fields.sequence)
    return isOwn && sequence != 0 ? sequence : nil
  }

  /// The block with the checksum that it will be written with.
  static func stamped(_ bytes: [UInt8], at offset: UInt64) throws -> [UInt8] {
    guard let fields = fields(of: bytes) else {
      throw FormatError("XFS buffer", at: offset, .badMagic)
    }
    var sum = RunningCRC32(.castagnoli)
    sum.add(bytes.span.extracting(0..<fields.checksum))
    sum.add([0, 0, 0, 0])
    sum.add(bytes.span.extracting(fields.checksum + 4..<bytes.count))
    var result = bytes
    for index in 0..<4 {
      result[fields.checksum + index] = UInt8(truncatingIfNeeded: sum.value >> UInt32(index * 8))
    }
    return result
  }
}
