import Bytes

@testable import GuestLayouts

extension GuestTarget {
  /// XFS: the checksums of metadata and of the log's records, so that changes of them are seen.
  ///
  /// Blocks are of 1 KiB, sectors and inodes of 512 bytes, blocks of directories of 4 KiB.
  static let xfs = GuestTarget(layout: XFS.self) { bytes in
    for place in stride(from: 0, to: bytes.count - 4096, by: 512) {
      guard let (count, field) = checked(bytes, place) else { continue }
      var sum = RunningCRC32(.castagnoli)
      sum.add(bytes.span.extracting(place..<place + field))
      sum.add([0, 0, 0, 0])
      sum.add(bytes.span.extracting(place + field + 4..<place + count))
      bytes.set(place + field, 4, UInt64(sum.value))
    }
    mendRecords(&bytes)
  }

  /// How long the metadata at a place is, and where its checksum.
  private static func checked(_ bytes: [UInt8], _ place: Int) -> (count: Int, field: Int)? {
    switch UInt32(truncatingIfNeeded: bytes.span.big64(at: place) >> 32) {
    case 0: return nil
    case 0x5846_5342: return (512, 224)
    case 0x5841_4746: return (512, 216)
    case 0x5841_4749: return (512, 312)
    case 0x5841_464C: return (512, 32)
    case 0x4142_3342, 0x4142_3343, 0x4941_4233, 0x4649_4233, 0x524D_4233, 0x5233_4643:
      return (1024, 52)
    case 0x424D_4133: return (1024, 64)
    case 0x5844_4233, 0x5844_4433: return (4096, 4)
    case 0x5853_4C4D, 0x5841_524D: return (1024, 12)
    default: break
    }
    if bytes[place] == 0x49, bytes[place + 1] == 0x4E { return (512, 100) }
    let magic = bytes.span.big64(at: place + 8) >> 48
    return magic == 0x3BEE || magic == 0x3EBE ? (1024, 12) : nil
  }

  /// Records that do not wrap around.
  private static func mendRecords(_ bytes: inout [UInt8]) {
    for place in stride(from: 0, to: bytes.count - 4096, by: 512) {
      guard bytes.span.big64(at: place) >> 32 == 0xFEED_BABE, bytes.little(place + 32, 4) != 0
      else { continue }
      let count = Int(bytes.span.big64(at: place + 8) & 0xFFFF_FFFF)
      guard count <= 256 << 10, place + 512 + count <= bytes.count else { continue }
      var sum = RunningCRC32(.castagnoli)
      sum.add(bytes.span.extracting(place..<place + 32))
      sum.add([0, 0, 0, 0])
      sum.add(bytes.span.extracting(place + 36..<place + 328))
      sum.add(bytes.span.extracting(place + 512..<place + 512 + count))
      bytes.set(place + 32, 4, UInt64(sum.value))
    }
  }
}
