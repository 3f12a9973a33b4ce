internal import Blocks
internal import Bytes

/// An earlier state that a qcow2 image keeps under a name.
///
///     0    8  offset of the level 1 table, 8 (4): its entries
///     12   2  length of the identifier, 14 (2): of the name
///     16   4  seconds since 1970, 20 (4): nanoseconds, 24 (8): the guest's clock
///     32   4  bytes of the machine's memory
///     36   4  length of what follows: memory (8), size of the disk (8), instructions (8)
///     40      that, then identifier and name, padding to 8 bytes
///
/// Big-endian. QEMU, docs/interop/qcow2.txt, "Snapshots".
struct QCOW2Snapshot: Sendable {
  private static let headByteCount = 40
  private static let extraLimit = 1024

  let identifier: String
  let name: String
  let state: QCOW2State

  /// The snapshot of that name or, where no name is alike, of that identifier.
  ///
  /// - Throws: Also when there is none, or when several have the name.
  static func named(
    _ wanted: String, in file: any BlockSource, _ header: QCOW2Header
  ) throws -> QCOW2Snapshot {
    let all = try list(of: file, header)
    let found = all.filter { $0.name == wanted }
    let matches = found.isEmpty ? all.filter { $0.identifier == wanted } : found
    guard matches.count <= 1 else {
      throw FormatError(
        "qcow2 snapshots", at: header.snapshotOffset,
        .ambiguous(
          "\(matches.count) are called '\(wanted.printable)'",
          hint: "qemu-img snapshot -l lists them"))
    }
    guard let snapshot = matches.first else {
      let names = all.prefix(20).map { "'\($0.name.printable)'" }.joined(separator: ", ")
      throw FormatError(
        "qcow2 snapshots", at: header.snapshotOffset,
        .ambiguous(
          "none is called '\(wanted.printable)'",
          hint: all.isEmpty ? "there are none in it" : "there are: \(names)"))
    }
    try snapshot.state.check(
      header, of: file.size, "qcow2 snapshots", at: header.snapshotOffset)
    return snapshot
  }

  /// All snapshots of an image.
  static func list(of file: any BlockSource, _ header: QCOW2Header) throws -> [QCOW2Snapshot] {
    var place = header.snapshotOffset
    var all: [QCOW2Snapshot] = []
    for _ in 0..<header.snapshotCount {
      guard let head = try file.bytes(headByteCount, at: place) else {
        throw FormatError("qcow2 snapshots", at: place, .truncated)
      }
      var cursor = ByteCursor(head.span, of: "qcow2 snapshots", at: place, .big)
      let tableOffset = try cursor.u64()
      let tableEntries = UInt64(try cursor.u32())
      let identifierLength = Int(try cursor.u16())
      let nameLength = Int(try cursor.u16())
      try cursor.skip(20)
      let extraLength = Int(try cursor.u32())
      guard extraLength <= extraLimit else {
        throw cursor.refusal(.impossible("\(extraLength) extra bytes"))
      }
      let rest = extraLength + identifierLength + nameLength
      guard let bytes = try file.bytes(rest, at: place + UInt64(headByteCount)) else {
        throw FormatError("qcow2 snapshots", at: place, .truncated)
      }
      // Old images do not tell the size, which then was that of today.
      let size =
        extraLength >= 16 ? bytes.span.little64(at: 8).byteSwapped : header.state.size
      let names = bytes[extraLength...]
      all.append(
        QCOW2Snapshot(
          identifier: String(decoding: names.prefix(identifierLength), as: UTF8.self),
          name: String(decoding: names.dropFirst(identifierLength), as: UTF8.self),
          state: QCOW2State(size: size, tableEntries: tableEntries, tableOffset: tableOffset)))
      place += UInt64((headByteCount + rest + 7) / 8 * 8)
    }
    return all
  }
}
