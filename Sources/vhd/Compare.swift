internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd compare`: whether two images hold the same disk.
struct Compare: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Compare the disks in two images, of whatever formats.",
    discussion: "Ends in status 1 when they differ. Behind a disk's end there are zeros.")

  @Argument(help: "A raw disk, a block device or an image.", completion: .file())
  var first: String

  @Argument(help: "The one to compare it with.", completion: .file())
  var second: String

  @Option(
    help: ArgumentHelp("The format of the first one.", valueName: "format"),
    completion: .list(ReadOptions.formats))
  var firstFormat: String?

  @Option(
    help: ArgumentHelp("The format of the second one.", valueName: "format"),
    completion: .list(ReadOptions.formats))
  var secondFormat: String?

  @OptionGroup
  var references: ReferenceArguments

  @Flag(help: "Take disks of different sizes for different.")
  var strict = false

  @Flag(help: "Tell all differing ranges, not only the first ones.")
  var all = false

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing: the status tells.")
  var quiet = false

  /// How many ranges are told without --all, and how many of them are kept for JSON.
  private static let limit = 10
  private static let jsonLimit = 1_000_000

  func run() throws {
    let left = try references.open(first, format: firstFormat, option: "--first-format")
    let right = try references.open(second, format: secondFormat, option: "--second-format")
    let sizes = (left.disk.size, right.disk.size)
    var found = Found(isSizeDifferent: strict && sizes.0 != sizes.1)
    var comparison = DiskComparison(left.disk, right.disk)
    do {
      try comparison.forEachDifference { try tell($0, &found) }
    } catch let error as ComparisonError {
      throw Failure(SourceName(error.side == .first ? first : second).shown, error.error)
    }
    for disk in [left, right] { try disk.finish() }
    try report(found, sizes)
    if found.isDifferent { leave(.different) }
  }

  /// Takes a difference; returns whether more are wanted.
  private func tell(_ range: Range<UInt64>, _ found: inout Found) throws -> Bool {
    let limit = all ? Int.max : Compare.limit
    if quiet || found.count >= limit {
      found.count += 1
      found.isComplete = false
      return false
    }
    found.count += 1
    found.byteCount += range.upperBound - range.lowerBound
    if json {
      if found.ranges.count < Compare.jsonLimit { found.ranges.append(range) }
    } else {
      try Console.result("bytes \(range.lowerBound) to \(range.upperBound) differ")
    }
    return true
  }

  private func report(_ found: Found, _ sizes: (UInt64, UInt64)) throws(Failure) {
    if json { return try Console.result(json: CompareReport(self, found, sizes)) }
    if quiet { return }
    if sizes.0 != sizes.1 {
      try Console.result(
        "\(strict ? "" : "note: ")the disks have \(sizes.0) and \(sizes.1) bytes")
    }
    if !found.isDifferent {
      try Console.result(
        "\(SourceName(first).shown) and \(SourceName(second).shown): the same disk")
    } else if !found.isComplete {
      try Console.result("there are more differences: --all tells them")
    } else if found.count > 0 {
      let ranges = found.count == 1 ? "1 range" : "\(found.count) ranges"
      try Console.result("\(ByteSize.text(found.byteCount)) in \(ranges) differ")
    }
  }

  /// What was found.
  struct Found {
    var isSizeDifferent: Bool
    var count = 0
    var byteCount: UInt64 = 0
    /// Whether the disks were compared to their end.
    var isComplete = true
    var ranges: [Range<UInt64>] = []

    var isDifferent: Bool { isSizeDifferent || count > 0 }
  }
}

/// What `compare --json` prints.
struct CompareReport: Encodable {
  struct Item: Encodable {
    let start: UInt64
    let end: UInt64
  }

  let first: String
  let second: String
  let firstSize: UInt64
  let secondSize: UInt64
  let identical: Bool
  let complete: Bool
  let ranges: [Item]

  init(_ compare: Compare, _ found: Compare.Found, _ sizes: (UInt64, UInt64)) {
    first = SourceName(compare.first).shown
    second = SourceName(compare.second).shown
    firstSize = sizes.0
    secondSize = sizes.1
    identical = !found.isDifferent
    complete = found.isComplete && found.ranges.count == found.count
    ranges = found.ranges.map { Item(start: $0.lowerBound, end: $0.upperBound) }
  }
}
