import Blocks

@testable import GuestLayouts

/// An NTFS volume of 4 MiB that a test builds record by record.
///
/// Clusters of 4 KiB: 0 and 1 the boot sector, 2 the mirror, 3 the bitmap, 4 to 19 the master file
/// table of 64 records, 100 to 115 the log.
struct TestNTFS {
  static let clusterSize = 4096
  static let clusterCount = 1023
  static let recordCount = 64
  static let tableCluster = 4
  static let logCluster = 100

  enum Form {
    case resident([UInt8])
    /// Clusters, nil for a hole; from which cluster of the attribute on.
    case mapped(
      [(cluster: Int?, count: Int)], first: Int = 0, size: Int, initialized: Int? = nil,
      unit: Int = 0)
  }

  struct Attribute {
    var type: UInt32
    var name = ""
    var flags = 0
    var form: Form
  }

  /// The first user's file.
  static let file = 30

  var used: Set<Int> = Set(0..<20).union(100..<116)
  var records: [Int: [UInt8]] = [:]
  var serial: UInt64 = 0x0123_4567_89AB_CDEF
  var flags: UInt64 = 0
  /// Names in the root directory.
  var names: [(String, Int)] = []
  /// What is written last, over everything: place and bytes.
  var patches: [(Int, [UInt8])] = []
  var bitmapForm = Form.mapped([(3, 1)], size: 128)
  var mirrors = true
  /// $MFT, when it is not the usual one.
  var table: [Attribute]?

  // MARK: Records

  static func words(_ text: String) -> [UInt8] {
    text.utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
  }

  static func number(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
  }

  static func runs(_ runs: [(cluster: Int?, count: Int)]) -> [UInt8] {
    var result: [UInt8] = []
    var last = 0
    for run in runs {
      guard let cluster = run.cluster else {
        result += [0x04] + number(UInt64(run.count), 4)
        continue
      }
      result += [0x44] + number(UInt64(run.count), 4)
      result += number(UInt64(bitPattern: Int64(cluster - last)), 4)
      last = cluster
    }
    return result + [0]
  }

  private static func bytes(_ attribute: Attribute, _ identifier: Int) -> [UInt8] {
    let name = words(attribute.name)
    var body: [UInt8]
    let header: Int
    switch attribute.form {
    case .resident(let value):
      header = 24
      let start = (header + name.count + 7) / 8 * 8
      body = number(UInt64(value.count), 4) + number(UInt64(start), 2) + [0, 0] + name
      body += [UInt8](repeating: 0, count: start - header - name.count) + value
    case .mapped(let runs, let first, let size, let initialized, let unit):
      header = 64
      let count = runs.reduce(0) { $0 + $1.count }
      let start = (header + name.count + 7) / 8 * 8
      body = number(UInt64(first), 8) + number(UInt64(bitPattern: Int64(first + count - 1)), 8)
      body += number(UInt64(start), 2) + [UInt8(unit), 0, 0, 0, 0, 0]
      if first == 0 {
        body += number(UInt64(max(count * clusterSize, (size + 4095) / 4096 * 4096)), 8)
        body += number(UInt64(size), 8) + number(UInt64(initialized ?? size), 8)
      } else {
        body += [UInt8](repeating: 0, count: 24)
      }
      body += name + [UInt8](repeating: 0, count: start - header - name.count)
      body += Self.runs(runs)
    }
    body += [UInt8](repeating: 0, count: (8 - body.count % 8) % 8)
    var head = number(UInt64(attribute.type), 4) + number(UInt64(body.count + 16), 4)
    if case .mapped = attribute.form { head += [1] } else { head += [0] }
    head += [UInt8(attribute.name.utf16.count)] + number(UInt64(header), 2)
    head += number(UInt64(attribute.flags), 2) + number(UInt64(identifier), 2)
    return head + body
  }

  /// Writes a record; its sequence is its number, 1 for the first.
  mutating func record(
    _ number: Int, _ attributes: [Attribute], isDirectory: Bool = false, base: Int? = nil
  ) {
    var bytes = TestDisk(1024)
    bytes.put("FILE", at: 0)
    bytes.set(4, 48, 2)
    bytes.set(6, 3, 2)
    bytes.set(16, UInt64(max(number, 1)), 2)
    bytes.set(18, 1, 2)
    bytes.set(20, 56, 2)
    bytes.set(22, isDirectory ? 3 : 1, 2)
    bytes.set(28, 1024, 4)
    if let base { bytes.set(32, UInt64(base) | UInt64(max(base, 1)) << 48, 8) }
    bytes.set(44, UInt64(number), 4)
    var place = 56
    for (index, attribute) in attributes.enumerated() {
      let part = Self.bytes(attribute, index)
      bytes.put(part, at: place)
      place += part.count
    }
    bytes.set(place, 0xFFFF_FFFF, 4)
    bytes.set(24, UInt64(place + 8), 4)
    records[number] = bytes.bytes
  }

  /// Puts a fixup into a structure of pieces of 512 bytes, whose array is where it says.
  static func protect(_ bytes: [UInt8], _ mark: UInt8 = 7) -> [UInt8] {
    var result = bytes
    let start = Int(bytes[4])
    result[start] = mark
    result[start + 1] = 0
    for piece in 1...bytes.count / 512 {
      let end = piece * 512 - 2
      result[start + 2 * piece] = result[end]
      result[start + 2 * piece + 1] = result[end + 1]
      result[end] = mark
      result[end + 1] = 0
    }
    return result
  }

  // MARK: Files

  static func standardInformation(attributes: UInt64 = 0) -> Attribute {
    let times = [1, 2, 3, 4].flatMap { number(116_444_736_000_000_000 + $0 * 10_000_005, 8) }
    return Attribute(
      type: 0x10, form: .resident(times + number(attributes, 4) + [UInt8](repeating: 0, count: 12)))
  }

  /// The value of a $FILE_NAME.
  static func nameValue(_ units: [UInt16], space: UInt8 = 1) -> [UInt8] {
    number(5 | 5 << 48, 8) + [UInt8](repeating: 0, count: 56) + [UInt8(units.count), space]
      + units.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
  }

  static func fileName(_ name: String, space: UInt8 = 1) -> Attribute {
    Attribute(type: 0x30, form: .resident(nameValue(Array(name.utf16), space: space)))
  }

  /// Adds a file with its name in the root directory.
  mutating func file(
    _ name: String, number: Int = TestNTFS.file, attributes: UInt64 = 0, _ others: [Attribute]
  ) {
    record(
      number,
      [Self.standardInformation(attributes: attributes), Self.fileName(name)] + others)
    names.append((name, number))
  }

  static func data(_ bytes: [UInt8]) -> Attribute { Attribute(type: 0x80, form: .resident(bytes)) }

  /// An entry of an index.
  static func entry(
    _ name: [UInt16], _ number: Int, space: UInt8 = 1, below: Int? = nil
  ) -> [UInt8] {
    let key = nameValue(name, space: space)
    let length = (16 + key.count + 7) / 8 * 8 + (below == nil ? 0 : 8)
    var entry = Self.number(UInt64(number) | UInt64(number) << 48, 8)
    entry += Self.number(UInt64(length), 2) + Self.number(UInt64(key.count), 2)
    entry += [below == nil ? 0 : 1, 0, 0, 0] + key
    entry += [UInt8](repeating: 0, count: length - entry.count)
    if let below { entry.replaceSubrange(length - 8..<length, with: Self.number(UInt64(below), 8)) }
    return entry
  }

  static func lastEntry(below: Int? = nil) -> [UInt8] {
    guard let below else { return number(0, 8) + [16, 0, 0, 0, 2, 0, 0, 0] }
    return number(0, 8) + [24, 0, 0, 0, 3, 0, 0, 0] + number(UInt64(below), 8)
  }

  /// $INDEX_ROOT with these entries.
  static func indexRoot(_ entries: [UInt8]) -> Attribute {
    var value = number(0x30, 4) + number(1, 4) + number(4096, 4) + [1, 0, 0, 0]
    value += number(16, 4) + number(UInt64(16 + entries.count), 4)
    value += number(UInt64(16 + entries.count), 4) + [0, 0, 0, 0]
    return Attribute(type: 0x90, name: "$I30", form: .resident(value + entries))
  }

  /// A block of an index.
  static func indexBlock(_ number: Int, _ entries: [UInt8]) -> [UInt8] {
    var block = TestDisk(4096)
    block.put("INDX", at: 0)
    block.set(4, 40, 2)
    block.set(6, 9, 2)
    block.set(16, UInt64(number), 8)
    block.set(24, 40, 4)
    block.set(28, UInt64(40 + entries.count), 4)
    block.set(32, 4072, 4)
    block.put(entries, at: 64)
    return protect(block.bytes)
  }

  // MARK: The volume

  /// Which records are in use, of those that there are by now.
  var recordBitmap: Attribute {
    var bytes = [UInt8](repeating: 0, count: Self.recordCount / 8)
    for number in Set(0..<12).union(records.keys) { bytes[number / 8] |= 1 << UInt8(number % 8) }
    return Attribute(type: 0xB0, form: .resident(bytes))
  }

  private mutating func writeSystemRecords() {
    let plain = [Self.standardInformation()]
    record(
      0,
      table ?? plain + [
        Self.fileName("$MFT"),
        Attribute(
          type: 0x80, form: .mapped([(4, 16)], size: Self.recordCount * 1024)),
        recordBitmap,
      ])
    record(1, plain + [Attribute(type: 0x80, form: .mapped([(2, 1)], size: 4096))])
    record(2, plain + [Attribute(type: 0x80, form: .mapped([(100, 16)], size: 65536))])
    record(
      3,
      plain + [
        Attribute(type: 0x60, form: .resident(Self.words("Daten"))),
        Attribute(
          type: 0x70,
          form: .resident([UInt8](repeating: 0, count: 8) + [3, 1] + Self.number(flags, 2))),
      ])
    record(4, plain)
    if records[5] == nil {
      let entries = names.sorted { $0.0 < $1.0 }.flatMap { Self.entry(Array($0.0.utf16), $0.1) }
      record(5, plain + [Self.indexRoot(entries + Self.lastEntry())], isDirectory: true)
    }
    if records[6] == nil { record(6, plain + [Attribute(type: 0x80, form: bitmapForm)]) }
    record(7, plain + [Attribute(type: 0x80, form: .mapped([(0, 2)], size: 8192))])
    for number in 8..<12 { record(number, plain) }
  }

  /// The bitmap: bits of clusters in use, and of those that are not there.
  var bitmap: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 128)
    for cluster in 0..<1024 where used.contains(cluster) || cluster >= Self.clusterCount {
      bytes[cluster / 8] |= 1 << UInt8(cluster % 8)
    }
    return bytes
  }

  /// The volume, in an area of 4 MiB.
  func built() -> TestDisk {
    var copy = self
    copy.writeSystemRecords()
    var disk = TestDisk(4 << 20)
    disk.put([0xEB, 0x52, 0x90], at: 0)
    disk.put("NTFS    ", at: 3)
    disk.set(11, 512, 2)
    disk.set(13, 8, 1)
    disk.set(21, 0xF8, 1)
    disk.set(40, 8191, 8)
    disk.set(48, UInt64(Self.tableCluster), 8)
    disk.set(56, 2, 8)
    disk.set(64, 0xF6, 1)
    disk.set(68, 1, 1)
    disk.set(72, serial, 8)
    disk.set(510, 0xAA55, 2)
    disk.put(Array(disk.bytes[0..<512]), at: (4 << 20) - 512)
    disk.put([UInt8](repeating: 0xFF, count: 65536), at: Self.logCluster * 4096)
    disk.put(bitmap, at: 3 * 4096)
    for (number, bytes) in copy.records {
      disk.put(Self.protect(bytes), at: Self.tableCluster * 4096 + number * 1024)
      if number < 4, mirrors { disk.put(Self.protect(bytes, 9), at: 2 * 4096 + number * 1024) }
    }
    for (place, bytes) in patches { disk.put(bytes, at: place) }
    return disk
  }

  /// What is found on it.
  var finding: GuestFinding? { Self.finding(built()) }

  static func finding(_ disk: TestDisk) -> GuestFinding? {
    do { return try NTFS.find(in: GuestArea(disk.source)).first } catch { return nil }
  }

  func free() throws -> [Range<UInt64>] {
    try Self.system(built()).freeSpace().extents.ranges
  }

  static func system(_ disk: TestDisk) throws -> any GuestFileSystem {
    let found = finding(disk)
    guard let system = found?.fileSystem else {
      throw GuestDoubt("no file system: \(found?.note ?? "")")
    }
    return system
  }

  /// Why nothing of it is left out.
  var doubt: String? {
    do {
      _ = try free()
      return nil
    } catch { return "\(error)" }
  }

  func files() throws -> any FileTree {
    guard let tree = try Self.system(built()).files() else { throw GuestDoubt("no files") }
    return tree
  }

  /// What is free when nothing was added.
  static let emptyFree = places([20..<100, 116..<1023])

  /// Ranges of clusters, in bytes.
  static func places(_ clusters: [Range<UInt64>]) -> [Range<UInt64>] {
    clusters.map { $0.lowerBound * 4096..<$0.upperBound * 4096 }
  }
}
