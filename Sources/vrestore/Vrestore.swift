internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import Repositories
internal import Streams
internal import ToolSupport

/// Brings a recovery point back.
@main
struct Vrestore: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vrestore",
    abstract: "Bring a recovery point back: as a stream, as plain bytes, or to a file or device.",
    version: Version.text)

  @Argument(
    help: ArgumentHelp(
      "NAME (its newest), NAME~2 (two before), an id or the start of one; :VOLUME picks a disk "
        + "by its name or number, from 0.",
      valueName: "point"))
  var selector: String

  @OptionGroup
  var repository: RepositoryArguments

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
    let repository = try repository.open()
    let parts = selector.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let stored = try naming(repository.location) { try repository.resolve(String(parts[0])) }
    let volume = parts.count == 2 ? String(parts[1]) : nil
    let selections = try choose(stored.point, volume, one: plainBytes)
    let feed = try naming(selector) {
      try RestoreFeed(repository, stored, selections: selections)
    }
    let loaded = LoadAhead(feed, workers: workerCount(), window: 6)
    if !stored.point.complete {
      Console.warn(
        "\(selector): parts of the source were missing when it was made; see vstore show")
    }
    try deliver(loaded, feed, stored.point, selections)
    if !stored.point.complete { leave(.incomplete) }
  }

  private func deliver(
    _ loaded: LoadAhead, _ feed: RestoreFeed, _ point: RecoveryPoint,
    _ selections: [RestoreFeed.Selection]?
  ) throws(Failure) {
    guard raw || target != nil, let selections else {
      return try StreamRestore.run(loaded, selector, output)
    }
    let size = feed.header(0).size
    let wanted = selections[0].range ?? 0..<size
    if let target {
      let data = point.volumes[selections[0].volume].bytes["data"] ?? 0
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
    _ point: RecoveryPoint, _ name: String?, one: Bool
  ) throws(Failure) -> [RestoreFeed.Selection]? {
    let names = point.volumes.map(\.name).joined(separator: ", ")
    let number: Int
    if let name {
      guard
        let found = point.volumes.firstIndex(where: { $0.name == name })
          ?? Int(name).flatMap({ point.volumes.indices.contains($0) ? $0 : nil })
      else { throw Failure(.notFound, "\(selector): no such volume", hint: "it has \(names)") }
      number = found
    } else if one {
      guard point.volumes.count == 1 else {
        throw Failure(
          .usage, "\(selector): it has \(point.volumes.count) volumes",
          hint: "pick one with POINT:VOLUME, of \(names)")
      }
      number = 0
    } else {
      return nil
    }
    let size = point.volumes[number].size
    return [
      .init(
        volume: number,
        range: try range.map { text throws(Failure) in
          try Vrestore.parse(text, size: size)
        })
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
