internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import Repositories
internal import Streams
internal import ToolSupport

/// `vrestore restore`: a point as a stream, or one of its disks as plain bytes.
struct Restore: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Bring a point back as a stream, as plain bytes, or to a file or device.")

  @OptionGroup
  var arguments: PointArguments

  @Flag(help: "Write one volume's plain bytes to stdout, with zeros for holes and no seal.")
  var raw = false

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Write one volume to this file or block device.", valueName: "target"),
    completion: .file())
  var target: String?

  @Option(
    help: ArgumentHelp(
      "Only these bytes of the volume, as START:LENGTH (64K, 1M … are understood).",
      valueName: "range"))
  var range: String?

  @Flag(help: "Replace an existing file; write to a block device.")
  var force = false

  @Flag(help: "The device is known to be all zeros: leave its holes as they are.")
  var targetIsZero = false

  @Flag(help: "Errors as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  func validate() throws {
    if raw, target != nil { throw ValidationError("--raw and -o exclude each other") }
    if range != nil, !raw, target == nil {
      throw ValidationError("--range belongs to --raw or -o: a stream holds whole volumes")
    }
    if target == "-" { throw ValidationError("-o -: leave it out for a stream, or use --raw") }
    if targetIsZero, target == nil { throw ValidationError("--target-is-zero belongs to -o") }
  }

  func run() throws {
    let plainBytes = raw || target != nil
    if target == nil {
      try Console.requireBinaryOutput(hint: "pipe it on, or name a target with -o")
    }
    if let target, try naming(target, { try Files.status(target)?.kind == .directory }) {
      throw Failure(.usage, "\(target): is a folder", hint: "name the file to make in it")
    }
    if let target { try arguments.refuse(output: target) }
    let selected = try arguments.open()
    let selections = try choose(selected, one: plainBytes)
    let feed = try selected.feed(selections)
    let loaded = LoadAhead(feed, workers: workerCount(), window: 6)
    try deliver(loaded, feed, selected, selections)
    if plainBytes, !output.quiet, let one = selections?.first {
      selected.tellFilesLeftOut(ofVolume: one.volume, one.range)
    }
    if !selected.point.complete { leave(.incomplete) }
  }

  private func deliver(
    _ loaded: LoadAhead, _ feed: RestoreFeed, _ selected: SelectedPoint,
    _ selections: [RestoreFeed.Selection]?
  ) throws(Failure) {
    let selector = selected.selector
    guard raw || target != nil, let selections else {
      return try StreamRestore.run(loaded, selector, output)
    }
    let size = feed.header(0).size
    let wanted = selections[0].range ?? 0..<size
    if let target {
      let data = selected.point.volumes[selections[0].volume].bytes["data"] ?? 0
      try FileRestore(
        target, wanted, dataBytes: min(data, wanted.upperBound - wanted.lowerBound),
        isForced: force, isZero: targetIsZero, output
      ).run(loaded, selector)
    } else {
      try RawRestore.run(loaded, wanted, selector, output.feedingOutput())
    }
  }

  /// Which volumes are wanted; nil for all.
  private func choose(
    _ selected: SelectedPoint, one: Bool
  ) throws(Failure) -> [RestoreFeed.Selection]? {
    guard let number = one ? try selected.onlyVolume() : try selected.pickedVolume() else {
      return nil
    }
    let size = selected.point.volumes[number].size
    return [
      .init(
        volume: number,
        range: try range.map { text throws(Failure) in try Restore.parse(text, size: size) })
    ]
  }

  /// Reads `START:LENGTH`.
  private static func parse(_ text: String, size: UInt64) throws(Failure) -> Range<UInt64> {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let start = ByteSize.parse(String(parts[0])),
      let length = ByteSize.parse(String(parts[1]))
    else { throw Failure(.usage, "--range \(text): not like 1M:64K") }
    guard start <= size, length <= size - start else {
      throw Failure(.usage, "--range \(text): beyond the volume's \(size) bytes")
    }
    return start..<start + length
  }
}
