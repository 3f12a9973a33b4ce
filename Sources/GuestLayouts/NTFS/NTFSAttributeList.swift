internal import Bytes

/// One entry of the list that says in which records the attributes of a large file are.
///
///     offset size  field
///          0    4  type
///          4    2  length
///          6    1  characters of the name
///          7    1  offset of the name
///          8    8  first cluster    of the piece
///         16    8  record
///         24    2  identifier
///
/// Linux-NTFS documentation, "$ATTRIBUTE_LIST".
struct NTFSListEntry {
  /// The most bytes of a list, as Windows has it.
  static let byteLimit: UInt64 = 256 << 10

  var type: UInt32
  var name: [UInt16]
  var first: UInt64
  var record: NTFSReference
  var identifier: UInt16

  func isA(_ type: NTFSAttributeType, _ name: [UInt16] = []) -> Bool {
    self.type == type.rawValue && self.name == name
  }

  /// Whether it is this attribute of its record that is meant.
  func names(_ attribute: NTFSAttribute) -> Bool {
    attribute.type == type && attribute.identifier == identifier && attribute.first == first
      && attribute.name == name
  }

  static func all(of bytes: [UInt8], at place: UInt64) throws(FormatError) -> [NTFSListEntry] {
    var result: [NTFSListEntry] = []
    var position = 0
    let span = bytes.span
    while position < bytes.count {
      let rest = span.extracting(position..<bytes.count)
      var cursor = ByteCursor(rest, of: "NTFS attribute list", at: place, .little)
      let type = try cursor.u32()
      let length = Int(try cursor.u16())
      let nameCount = Int(try cursor.u8())
      let nameStart = Int(try cursor.u8())
      guard length >= 26, length <= rest.count,
        nameCount == 0 || nameStart + 2 * nameCount <= length
      else { throw cursor.refusal(.impossible("an entry of \(length) bytes")) }
      let first = try cursor.u64()
      let record = NTFSReference(try cursor.u64())
      let identifier = try cursor.u16()
      let name = (0..<nameCount).map { index in
        let spot = nameStart + 2 * index
        return UInt16(rest[spot]) | UInt16(rest[spot + 1]) << 8
      }
      result.append(
        NTFSListEntry(
          type: type, name: name, first: first, record: record, identifier: identifier))
      position += length
    }
    return result
  }
}
