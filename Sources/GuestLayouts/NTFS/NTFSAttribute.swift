internal import Bytes

/// What an attribute of a file is.
enum NTFSAttributeType: UInt32 {
  case standardInformation = 0x10
  case attributeList = 0x20
  case fileName = 0x30
  case volumeName = 0x60
  case volumeInformation = 0x70
  case data = 0x80
  case indexRoot = 0x90
  case indexAllocation = 0xA0
  case bitmap = 0xB0
  case reparsePoint = 0xC0
  case extendedAttributes = 0xE0
}

/// One attribute, or a piece of one, in a record of the master file table.
///
///     offset size  field
///          0    4  type
///          4    4  length               of all of it, a multiple of eight
///          8    1  non-resident
///          9    1  characters of the name
///         10    2  offset of the name
///         12    2  flags                1 compressed (low byte: method), 0x4000 encrypted,
///                                       0x8000 sparse
///         14    2  identifier
///     resident:
///         16    4  bytes of the value
///         20    2  offset of the value
///     non-resident:
///         16    8  first cluster        as the attribute numbers them
///         24    8  last cluster
///         32    2  offset of the runs
///         34    1  compression unit     a power of two, in clusters
///         40    8  allocated bytes      these three in the first piece only
///         48    8  size
///         56    8  initialized bytes    what is behind them reads as zero
///
/// Linux-NTFS documentation, "Attribute Header"; libfsntfs, "The MFT attribute".
struct NTFSAttribute {
  /// The head of a piece whose content is in clusters.
  struct Mapping: Equatable {
    var first: UInt64
    var last: UInt64
    /// Where the runs are in the record.
    var runs: Range<Int>
    var unitShift: UInt8
    var size: UInt64
    var initialized: UInt64
  }

  enum Form: Equatable {
    /// Where the value is in the record.
    case resident(Range<Int>)
    case mapped(Mapping)
  }

  static let methodMask: UInt16 = 0x00FF
  static let encrypted: UInt16 = 0x4000
  static let sparse: UInt16 = 0x8000

  var type: UInt32
  var name: [UInt16]
  var flags: UInt16
  /// Its own number in its record.
  var identifier: UInt16
  /// Bytes of all of it.
  var byteCount: Int
  var form: Form

  func isA(_ type: NTFSAttributeType, _ name: [UInt16] = []) -> Bool {
    self.type == type.rawValue && self.name == name
  }

  /// Which cluster of the attribute the piece starts with; zero when it is whole.
  var first: UInt64 {
    if case .mapped(let mapping) = form { mapping.first } else { 0 }
  }
}

extension NTFSAttribute {
  /// - Parameters:
  ///   - bytes: The record, up to the end of what is in use.
  ///   - start: Where the attribute is in it.
  ///   - place: Where the record is in the area.
  init(parsing bytes: Span<UInt8>, from start: Int, at place: UInt64) throws(FormatError) {
    let all = bytes.extracting(start..<bytes.count)
    var cursor = ByteCursor(all, of: "NTFS attribute", at: place + UInt64(start), .little)
    type = try cursor.u32()
    let length = try cursor.u32()
    guard length >= 24, length % 8 == 0, length <= UInt32(all.count) else {
      throw cursor.refusal(.impossible("an attribute of \(length) bytes"))
    }
    byteCount = Int(length)
    let isMapped = try cursor.u8()
    let nameCount = Int(try cursor.u8())
    let nameStart = Int(try cursor.u16())
    flags = try cursor.u16()
    identifier = try cursor.u16()
    guard isMapped <= 1, nameCount == 0 || nameStart + 2 * nameCount <= byteCount else {
      throw cursor.refusal(.impossible("a name of \(nameCount) characters"))
    }
    name = (0..<nameCount).map { index in
      let spot = nameStart + 2 * index
      return UInt16(all[spot]) | UInt16(all[spot + 1]) << 8
    }
    if isMapped == 1 {
      form = .mapped(try Self.mapping(&cursor, start, byteCount))
      return
    }
    let count = try cursor.u32()
    let offset = Int(try cursor.u16())
    guard offset <= byteCount, count <= UInt32(byteCount - offset) else {
      throw cursor.refusal(.impossible("a value of \(count) bytes at \(offset)"))
    }
    form = .resident(start + offset..<start + offset + Int(count))
  }

  private static func mapping(
    _ cursor: inout ByteCursor, _ start: Int, _ byteCount: Int
  ) throws(FormatError) -> Mapping {
    guard byteCount >= 64 else { throw cursor.refusal(.truncated) }
    let first = try cursor.u64()
    let last = try cursor.u64()
    let runs = Int(try cursor.u16())
    let unitShift = try cursor.u8()
    try cursor.skip(5)
    let allocated = try cursor.u64()
    let size = try cursor.u64()
    let initialized = try cursor.u64()
    guard runs >= 64, runs <= byteCount else {
      throw cursor.refusal(.impossible("runs at \(runs)"))
    }
    if first == 0 {
      guard initialized <= size, size <= allocated, allocated <= UInt64(Int64.max) else {
        throw cursor.refusal(
          .impossible("\(initialized) initialized of \(size) of \(allocated) bytes"))
      }
    }
    return Mapping(
      first: first, last: last, runs: start + runs..<start + byteCount, unitShift: unitShift,
      size: size, initialized: initialized)
  }
}
