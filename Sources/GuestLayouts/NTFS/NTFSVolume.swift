internal import Blocks
internal import Bytes

/// A volume whose master file table can be read.
struct NTFSVolume: Sendable {
  let boot: NTFSBootSector
  let area: GuestArea
  /// The master file table itself.
  let table: NTFSMapped

  var source: any BlockSource { area.source }

  /// The records that every volume has, in their places.
  enum Known: UInt64 {
    case table = 0
    case mirror = 1
    case log = 2
    case volume = 3
    case root = 5
    case bitmap = 6
    case bad = 8
  }

  /// Records below are the file system's own; files of users come behind.
  static let firstUserRecord: UInt64 = 16
  /// Records below are there on every volume; those between are spare.
  static let systemRecordCount: UInt64 = 12

  /// Finds the master file table, whose first record says where the others are.
  init(_ boot: NTFSBootSector, _ area: GuestArea) throws {
    self.boot = boot
    self.area = area
    // Both are below the area's size: the boot sector's clusters are.
    let start = boot.tableCluster * boot.clusterSize
    guard let bytes = try area.source.bytes(boot.recordSize, at: start) else {
      throw FormatError("NTFS record 0", at: start, .truncated)
    }
    let record = try NTFSRecord(parsing: bytes, number: 0, at: start)
    guard record.isInUse,
      let first = record.attributes.first(where: { $0.isA(.data) && $0.first == 0 }),
      case .mapped(let head) = first.form
    else { throw FormatError("NTFS record 0", at: start, .impossible("$MFT without content")) }
    var table = NTFSMapped(
      NTFSRuns(clusterCount: boot.clusterCount, clusterSize: boot.clusterSize), head,
      flags: first.flags, clusterSize: boot.clusterSize)
    try Self.append(head, of: record, to: &table.runs)
    if let list = try Self.list(of: record, boot, area.source) {
      for entry in list where entry.isA(.data) && entry.first > 0 {
        // The record is in a part of the table that is known by now.
        let next = try Self.record(entry.record, of: table, boot, area.source)
        try Self.append(entry, next, base: record, to: &table.runs)
      }
    }
    self.table = table
    let needed = (table.initialized + boot.clusterSize - 1) / boot.clusterSize
    guard table.isPlain, table.runs.unbrokenCount(from: 0, upTo: needed) == needed,
      table.runs.runs.first?.cluster == boot.tableCluster
    else { throw FormatError("NTFS record 0", at: start, .impossible("$MFT with gaps")) }
  }

  // MARK: Records

  /// A record, whatever is in it.
  func record(_ reference: NTFSReference) throws -> NTFSRecord {
    try Self.record(reference, of: table, boot, source)
  }

  private static func record(
    _ reference: NTFSReference, of table: NTFSMapped, _ boot: NTFSBootSector,
    _ source: any BlockSource
  ) throws -> NTFSRecord {
    let size = UInt64(boot.recordSize)
    guard reference.number < table.initialized / size,
      let place = table.piece(at: reference.number * size).place
    else {
      throw FormatError(
        "NTFS record \(reference.number)", at: 0, .impossible("it is not in $MFT"))
    }
    var bytes = [UInt8](repeating: 0, count: boot.recordSize)
    var span = bytes.mutableSpan
    try table.readStored(into: &span, at: reference.number * size, of: source)
    let record = try NTFSRecord(parsing: bytes, number: reference.number, at: place)
    guard reference.sequence == 0 || reference.sequence == record.sequence else {
      throw FormatError(
        "NTFS record \(reference.number)", at: place,
        .impossible("its use \(record.sequence) in the place of \(reference.sequence)"))
    }
    return record
  }

  /// A file's first record with the list of its attributes.
  func node(_ reference: NTFSReference) throws -> NTFSNode {
    let record = try record(reference)
    guard record.isInUse, record.base.raw == 0 else {
      throw FormatError(
        "NTFS record \(record.number)", at: record.place, .impossible("it is no file"))
    }
    return NTFSNode(record: record, list: try Self.list(of: record, boot, source))
  }

  func node(_ known: Known) throws -> NTFSNode { try node(NTFSReference(known.rawValue)) }

  private static func list(
    of record: NTFSRecord, _ boot: NTFSBootSector, _ source: any BlockSource
  ) throws -> [NTFSListEntry]? {
    guard let attribute = record.attributes.first(where: { $0.isA(.attributeList) }) else {
      return nil
    }
    switch attribute.form {
    case .resident(let range):
      return try NTFSListEntry.all(of: Array(record.bytes[range]), at: record.place)
    case .mapped(let head):
      guard head.size <= NTFSListEntry.byteLimit, head.initialized == head.size else {
        throw FormatError(
          "NTFS attribute list", at: record.place, .impossible("\(head.size) bytes"))
      }
      var runs = NTFSRuns(clusterCount: boot.clusterCount, clusterSize: boot.clusterSize)
      try append(head, of: record, to: &runs)
      let mapped = NTFSMapped(runs, head, flags: attribute.flags, clusterSize: boot.clusterSize)
      let content = NTFSStream(mapped, of: source)
      let bytes = try content.bytes(Int(head.size), at: 0) ?? []
      return try NTFSListEntry.all(of: bytes, at: record.place)
    }
  }

  // MARK: Attributes

  /// The pieces of one attribute, or of all of one type, in the order in which they follow.
  ///
  /// - Parameter name: Nil for whatever name.
  func forEachPiece(
    _ type: NTFSAttributeType, _ name: [UInt16]?, of node: NTFSNode,
    _ body: (NTFSAttribute, NTFSRecord) throws -> Void
  ) throws {
    guard let list = node.list else {
      for attribute in node.record.attributes
      where attribute.type == type.rawValue && attribute.name == name ?? attribute.name {
        try body(attribute, node.record)
      }
      return
    }
    for entry in list where entry.type == type.rawValue && entry.name == name ?? entry.name {
      let record = try self.record(entry.record, of: node)
      guard let attribute = record.attributes.first(where: entry.names) else {
        throw FormatError(
          "NTFS record \(record.number)", at: record.place,
          .impossible("it lacks an attribute of record \(node.record.number)"))
      }
      try body(attribute, record)
    }
  }

  /// The first record of a file, or one with more of it.
  private func record(_ reference: NTFSReference, of node: NTFSNode) throws -> NTFSRecord {
    guard reference.number != node.record.number else { return node.record }
    let record = try record(reference)
    try Self.checkExtension(record, of: node.record)
    return record
  }

  /// All records of a file, the first one first.
  func records(of node: NTFSNode) throws -> [NTFSRecord] {
    var numbers: Set = [node.record.number]
    return try [node.record]
      + (node.list ?? []).compactMap { entry in
        numbers.insert(entry.record.number).inserted ? try record(entry.record, of: node) : nil
      }
  }

  /// The runs of one piece of an attribute; nil when it is in its record.
  func runs(of attribute: NTFSAttribute, in record: NTFSRecord) throws(FormatError) -> NTFSRuns? {
    guard case .mapped(let mapping) = attribute.form else { return nil }
    var runs = NTFSRuns(
      clusterCount: boot.clusterCount, clusterSize: boot.clusterSize, from: mapping.first)
    try Self.append(mapping, of: record, to: &runs)
    return runs
  }

  private static func checkExtension(_ record: NTFSRecord, of base: NTFSRecord) throws {
    guard record.isInUse, record.base.raw != 0, record.base.number == base.number,
      record.base.sequence == base.sequence || record.base.sequence == 0
    else {
      throw FormatError(
        "NTFS record \(record.number)", at: record.place,
        .impossible("it does not belong to record \(base.number)"))
    }
  }

  /// The content of an attribute; nil when the file has none like it.
  func content(
    _ type: NTFSAttributeType, _ name: [UInt16] = [], of node: NTFSNode
  ) throws -> NTFSContent? {
    var value: [UInt8]?
    var head: NTFSAttribute.Mapping?
    var flags: UInt16 = 0
    var runs = NTFSRuns(clusterCount: boot.clusterCount, clusterSize: boot.clusterSize)
    try forEachPiece(type, name, of: node) { attribute, record in
      switch attribute.form {
      case .resident(let range):
        guard value == nil, head == nil else { throw Self.twice(type, record) }
        value = Array(record.bytes[range])
      case .mapped(let mapping):
        guard value == nil else { throw Self.twice(type, record) }
        if head == nil { (head, flags) = (mapping, attribute.flags) }
        try Self.append(mapping, of: record, to: &runs)
      }
    }
    if let value { return .resident(value) }
    guard let head else { return nil }
    guard (head.size + boot.clusterSize - 1) / boot.clusterSize <= runs.end else {
      throw FormatError(
        "NTFS record \(node.record.number)", at: node.record.place,
        .impossible("\(head.size) bytes in \(runs.end) clusters"))
    }
    return .mapped(NTFSMapped(runs, head, flags: flags, clusterSize: boot.clusterSize))
  }

  private static func twice(_ type: NTFSAttributeType, _ record: NTFSRecord) -> FormatError {
    FormatError(
      "NTFS record \(record.number)", at: record.place, .impossible("\(type) is there twice"))
  }

  private static func append(
    _ mapping: NTFSAttribute.Mapping, of record: NTFSRecord, to runs: inout NTFSRuns
  ) throws(FormatError) {
    let pairs = record.bytes.span.extracting(mapping.runs)
    try runs.append(pairs, first: mapping.first, last: mapping.last, at: record.place)
  }

  /// Adds the piece of the master file table that an entry of its list names.
  private static func append(
    _ entry: NTFSListEntry, _ record: NTFSRecord, base: NTFSRecord, to runs: inout NTFSRuns
  ) throws {
    try checkExtension(record, of: base)
    let piece = record.attributes.first { $0.isA(.data) && $0.first == entry.first }
    guard let piece, case .mapped(let mapping) = piece.form else {
      throw FormatError(
        "NTFS record \(record.number)", at: record.place, .impossible("no piece of $MFT"))
    }
    try append(mapping, of: record, to: &runs)
  }
}

/// A file: its first record, and where the rest is when that is not all.
struct NTFSNode {
  let record: NTFSRecord
  let list: [NTFSListEntry]?
}

/// What an attribute holds.
enum NTFSContent {
  case resident([UInt8])
  case mapped(NTFSMapped)

  var size: UInt64 {
    switch self {
    case .resident(let bytes): UInt64(bytes.count)
    case .mapped(let mapped): mapped.size
    }
  }
}
