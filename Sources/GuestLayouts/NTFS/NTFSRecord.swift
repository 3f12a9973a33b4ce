internal import Bytes

/// The number of a record in the master file table, and how often it has been used anew.
struct NTFSReference: Equatable, Sendable {
  /// As it is stored: 48 bits of number, 16 of sequence.
  var raw: UInt64

  init(_ raw: UInt64) { self.raw = raw }

  var number: UInt64 { raw & 0xFFFF_FFFF_FFFF }
  /// Zero refers to whatever is there.
  var sequence: UInt16 { UInt16(truncatingIfNeeded: raw >> 48) }
}

/// A record of the master file table: a file, or what of it did not fit into its first record.
///
///     offset size  field
///          0    4  signature          "FILE"
///          4    4  fixups
///         16    2  sequence           counts the record's uses
///         18    2  links
///         20    2  offset of the first attribute
///         22    2  flags              1 in use, 2 directory
///         24    4  bytes in use
///         28    4  bytes of the record
///         32    8  first record       of the file; zero in that one itself
///         44    4  own number         since NTFS 3.1, when the fixups start at 48
///
/// Linux-NTFS documentation, "FILE Record"; libfsntfs, "MFT entry header".
struct NTFSRecord {
  let number: UInt64
  /// Where it is in the area.
  let place: UInt64
  /// All of it, fixups undone.
  let bytes: [UInt8]
  let sequence: UInt16
  let isInUse: Bool
  let isDirectory: Bool
  let base: NTFSReference
  let attributes: [NTFSAttribute]

  static let endMark: UInt32 = 0xFFFF_FFFF

  init(parsing raw: [UInt8], number: UInt64, at place: UInt64) throws(FormatError) {
    self.number = number
    self.place = place
    guard raw.starts(with: Array("FILE".utf8)) else {
      throw FormatError("NTFS record \(number)", at: place, .badMagic)
    }
    var bytes = raw
    try NTFSFixups.undo(&bytes, of: "NTFS record \(number)", at: place)
    self.bytes = bytes
    var cursor = ByteCursor(bytes.span, of: "NTFS record", at: place, .little)
    try cursor.skip(4)
    let fixups = try cursor.u16()
    try cursor.skip(10)
    sequence = try cursor.u16()
    try cursor.skip(2)
    let start = Int(try cursor.u16())
    let flags = try cursor.u16()
    isInUse = flags & 1 != 0
    isDirectory = flags & 2 != 0
    let inUse = try cursor.u32()
    let total = try cursor.u32()
    guard inUse <= UInt32(bytes.count), total == UInt32(bytes.count), start >= 42, start % 8 == 0,
      start <= Int(inUse)
    else { throw cursor.refusal(.impossible("\(inUse) of \(total) bytes in use from \(start)")) }
    base = NTFSReference(try cursor.u64())
    try cursor.skip(4)
    let own = try cursor.u32()
    guard fixups < 48 || own == UInt32(truncatingIfNeeded: number) else {
      throw cursor.refusal(.impossible("record \(own) in the place of \(number)"))
    }
    attributes =
      isInUse ? try Self.attributes(of: bytes.span, start..<Int(inUse), at: place) : []
  }

  private static func attributes(
    of bytes: Span<UInt8>, _ range: Range<Int>, at place: UInt64
  ) throws(FormatError) -> [NTFSAttribute] {
    var result: [NTFSAttribute] = []
    var position = range.lowerBound
    let used = bytes.extracting(0..<range.upperBound)
    while true {
      guard position <= range.upperBound - 4 else {
        throw FormatError("NTFS record", at: place + UInt64(position), .truncated)
      }
      if used.little32(at: position) == endMark { return result }
      // Each one takes 24 bytes at least, so there are not many.
      let attribute = try NTFSAttribute(parsing: used, from: position, at: place)
      position += attribute.byteCount
      result.append(attribute)
    }
  }

  /// The value of an attribute that is in the record; nil when there is none.
  func value(_ type: NTFSAttributeType, _ name: [UInt16] = []) -> [UInt8]? {
    for attribute in attributes where attribute.isA(type, name) {
      if case .resident(let range) = attribute.form { return Array(bytes[range]) }
    }
    return nil
  }
}
