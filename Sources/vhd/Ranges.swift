internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd ranges`: where a disk or a file holds anything but zeros.
struct Ranges: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Tell the ranges that hold data, for uploads that leave out zeros.",
    discussion: "One line each: where it starts and how long it is, in bytes.")

  @Argument(help: "A raw disk, a block device or an image.", completion: .file())
  var file: String

  @Flag(
    name: .customLong("file"),
    help: "The ranges of the file as it is, footer and tables included, not of the disk inside.")
  var ofFile = false

  @Option(
    help: ArgumentHelp(
      "Ranges start and end at multiples of this: a power of two from 512 to 4M (4M).",
      valueName: "bytes"))
  var page = "4M"

  @OptionGroup
  var disk: DiskArguments

  @Flag(help: "Print JSON objects, one a line, and errors as JSON.")
  var json = false

  private var pageByteCount: UInt64? {
    guard let size = ByteSize.parse(page), size >= 512, size <= 4 << 20, size & (size - 1) == 0
    else { return nil }
    return size
  }

  func validate() throws {
    if ofFile, disk.format != nil { throw ValidationError("--file takes the file as it is") }
    guard pageByteCount != nil else {
      throw ValidationError("--page takes a power of two from 512 to 4M")
    }
  }

  func run() throws {
    let page = pageByteCount ?? 4 << 20
    let opened = ofFile ? nil : try disk.open(file)
    let source: any BlockSource = try opened?.disk ?? naming(file) { try InputFile(file) }
    var ranges = PageRanges(source, pageByteCount: page)
    var count = 0
    var byteCount: UInt64 = 0
    try naming(file) {
      try ranges.forEachRange { range in
        count += 1
        let length = range.upperBound - range.lowerBound
        byteCount += length
        if json {
          try Console.result(json: RangeReport(offset: range.lowerBound, length: length))
        } else {
          try Console.result("\(range.lowerBound) \(length)")
        }
      }
    }
    try opened?.finish()
    guard json else { return }
    try Console.result(
      json: RangesSummary(
        file: file, size: source.size, page: page, ranges: count, bytes: byteCount))
  }
}

/// A line of `ranges --json`.
struct RangeReport: Encodable {
  var messageType = "range"
  let offset: UInt64
  let length: UInt64
}

/// The last line of `ranges --json`.
struct RangesSummary: Encodable {
  var messageType = "summary"
  let file: String
  let size: UInt64
  let page: UInt64
  let ranges: Int
  let bytes: UInt64
}
