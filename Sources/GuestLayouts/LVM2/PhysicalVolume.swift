internal import Blocks
internal import Bytes

/// The label and header of an LVM2 physical volume, and the text of its volume group.
///
/// The label is one of the first four sectors of 512 bytes:
///
///     offset size  field
///          0    8  magic         LABELONE
///          8    8  sector        its own number
///         16    4  checksum      of bytes 20 to 511
///         20    4  header        where in the sector it starts
///         24    8  type          LVM2 001
///
/// The header: UUID (32), size of the device (8), areas of data and areas of metadata as pairs of
/// offset and size (8 each), each list ended by a pair of zeros.
///
/// A metadata area starts with 512 bytes:
///
///     offset size  field
///          0    4  checksum      of bytes 4 to 511
///          4   16  magic         ' LVM2 x[5A%r0N*>'
///         20    4  version       1
///         24    8  start         its own place in the device
///         32    8  size
///         40   24  text          offset 8, size 8, checksum 4, flags 4 (bit 0: ignored)
///
/// The text is a ring that starts behind those 512 bytes. Little-endian. LVM2 source,
/// lib/format_text/layout.h and lib/label/label.h.
struct PhysicalVolume: Equatable, Sendable {
  /// Where a text is that was in order when it was found.
  ///
  /// Texts may be long, and many.
  struct Text: Equatable {
    /// The area of metadata, and where in it the text starts, in bytes.
    let area: Range<UInt64>
    let start: UInt64
    let byteCount: UInt64
    let checksum: UInt32
  }

  /// 32 letters and digits, as in the metadata without the dashes.
  var uuid: String
  /// The newest text that is in order; nil when there is none, as on one that keeps no metadata.
  var text: Text?
  /// Where its label and its areas of metadata lie: no extent can be there.
  var reserved = ExtentSet()
  /// Whether each area that should hold a text holds one that is in order.
  var isSound = true

  init(uuid: String) { self.uuid = uuid }

  /// LVM's CRC-32: the ordinary polynomial, started otherwise and not inverted at the end.
  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var running = RunningCRC32(.ordinary, start: 0xF597_A6CF)
    running.add(bytes)
    return ~running.value
  }

  /// The most bytes of a text; LVM's own areas have one mebibyte.
  static let textByteLimit: UInt64 = 8 << 20
  static let areaLimit = 8

  /// The label of an area; nil when there is none.
  ///
  /// - Throws: `FormatError` when it is damaged, `SourceError`.
  init?(of area: GuestArea) throws {
    guard let sector = PhysicalVolume.labelSector(of: area) else { return nil }
    let place = UInt64(sector) * 512
    guard let label = area.bytes(512, at: sector * 512) else { return nil }
    var cursor = ByteCursor(label.span, of: "LVM2 label", at: place, .little)
    try cursor.skip(8)
    guard try cursor.u64() == UInt64(sector) else {
      throw cursor.refusal(.impossible("another sector's label"))
    }
    let stored = try cursor.u32()
    let computed = PhysicalVolume.checksum(label[20...])
    guard stored == computed else {
      throw cursor.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
    let header = Int(try cursor.u32())
    guard header >= 32, header <= 512 - 40 else {
      throw cursor.refusal(.impossible("its header lies outside"))
    }
    try cursor.skip(header - 24)
    uuid = String(decoding: try cursor.array(32), as: UTF8.self)
    try cursor.skip(8)
    while try cursor.u64() != 0 { try cursor.skip(8) }
    try cursor.skip(8)
    reserved.insert(0..<4 * 512)
    for _ in 0..<PhysicalVolume.areaLimit {
      let offset = try cursor.u64()
      guard offset != 0 else { break }
      let size = try cursor.u64()
      if offset < area.size { reserved.insert(offset..<offset + min(size, area.size - offset)) }
      take(try PhysicalVolume.text(in: area, offset, size))
    }
  }

  private static func labelSector(of area: GuestArea) -> Int? {
    (0..<4).first {
      area.holds("LABELONE", at: $0 * 512) && area.holds("LVM2 001", at: $0 * 512 + 24)
    }
  }

  /// What a metadata area turned out to hold.
  private enum Found {
    case none
    case damaged
    case text(Text)
  }

  private mutating func take(_ found: Found) {
    switch found {
    case .none: break
    case .damaged: isSound = false
    case .text(let new):
      // Both areas are written at each change; one that lags behind says that something went wrong.
      if let text, text.checksum != new.checksum || text.byteCount != new.byteCount {
        isSound = false
      }
      text = text ?? new
    }
  }

  private static func text(in area: GuestArea, _ offset: UInt64, _ size: UInt64) throws -> Found {
    guard size > 512, offset < area.size, size <= area.size - offset,
      let header = try area.source.bytes(512, at: offset)
    else { return .damaged }
    var cursor = ByteCursor(header.span, of: "LVM2 metadata area", at: offset, .little)
    guard try cursor.u32() == checksum(header[4...]),
      try cursor.array(16) == Array(" LVM2 x[5A%r0N*>".utf8), try cursor.u32() == 1,
      try cursor.u64() == offset, try cursor.u64() == size
    else { return .damaged }
    let place = try cursor.u64()
    let count = try cursor.u64()
    let stored = try cursor.u32()
    guard place != 0, try cursor.u32() & 1 == 0 else { return .none }
    guard place >= 512, place < size, count <= textByteLimit, count <= size - 512 else {
      return .damaged
    }
    let text = Text(
      area: offset..<offset + size, start: place, byteCount: count, checksum: stored)
    return try text.read(from: area.source) == nil ? .damaged : .text(text)
  }
}

extension PhysicalVolume.Text {
  /// Reads it.
  ///
  /// - Parameter source: The physical volume.
  /// - Returns: nil when it is not what it was, or damaged.
  /// - Throws: `SourceError`.
  func read(from source: any BlockSource) throws -> String? {
    let size = area.upperBound - area.lowerBound
    let first = min(byteCount, size - start)
    guard let head = try source.bytes(Int(first), at: area.lowerBound + start),
      let tail = try source.bytes(Int(byteCount - first), at: area.lowerBound + 512)
    else { return nil }
    let bytes = head + tail
    guard PhysicalVolume.checksum(bytes) == checksum else { return nil }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

/// An LVM2 physical volume: part of a volume group, which `VolumeGroups` puts together.
enum LVM2: GuestLayout {
  static let name = "LVM2"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    do {
      guard let volume = try PhysicalVolume(of: area) else { return [] }
      var finding = GuestFinding("LVM2 PV", uuid: volume.uuid)
      finding.physicalVolume = volume
      return [finding]
    } catch let error as FormatError {
      var finding = GuestFinding("LVM2 PV", note: "damaged: read whole")
      finding.warnings = ["\(error): read whole"]
      return [finding]
    }
  }
}
