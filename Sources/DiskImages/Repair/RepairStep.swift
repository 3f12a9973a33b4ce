public import Blocks
internal import Bytes
internal import Platform

/// One change of an image's file that is whole by itself, and what it is for.
///
/// Steps are made one after the other, each flushed before the next one begins: whenever that is
/// interrupted, the image is no worse than before.
public struct RepairStep: Sendable {
  /// Bytes that come to a place of the file.
  public struct Write: Sendable {
    public let offset: UInt64
    public let bytes: [UInt8]

    var range: Range<UInt64> { offset..<offset + UInt64(bytes.count) }
  }

  public let structure: String
  /// Where the structure lies in the file.
  public let offset: UInt64
  /// What is done to it.
  public let text: String
  /// Where bytes of the file are copied to, before anything else; the two do not overlap.
  public var copies: [(from: Range<UInt64>, to: UInt64)] = []
  /// Ranges that become zero before anything is written.
  public var zeros: [Range<UInt64>] = []
  public var writes: [Write] = []
  /// The least length that the file then has, in bytes.
  public var leastByteCount: UInt64 = 0
  /// The most bytes that the file then has: what is behind them is cut off, after all the rest.
  public var mostByteCount: UInt64 = .max

  init(_ structure: String, at offset: UInt64, _ text: String) {
    self.structure = structure
    self.offset = offset
    self.text = text
  }

  /// A step that writes a structure's bytes.
  init(_ structure: String, at offset: UInt64, _ bytes: [UInt8], _ text: String) {
    self.init(structure, at: offset, text)
    writes = [Write(offset: offset, bytes: bytes)]
  }

  /// `VHD footer at byte 4096: written from its copy`.
  public var description: String { "\(structure) at byte \(offset): \(text)" }

  /// How long the file is once the step is made.
  public func byteCount(after byteCount: UInt64) -> UInt64 {
    var ends = writes.map(\.range.upperBound) + zeros.map(\.upperBound)
    ends += copies.map { $0.to + ($0.from.upperBound - $0.from.lowerBound) }
    return min(max(byteCount, leastByteCount, ends.max() ?? 0), mostByteCount)
  }
}

/// A file as it will be once some steps have been made.
final class RepairedSource: BlockSource {
  private let file: any BlockSource
  private let step: RepairStep
  private let zeros: ExtentSet
  let size: UInt64
  var sectorSize: UInt32 { file.sectorSize }

  init(_ file: any BlockSource, _ step: RepairStep) {
    self.file = file
    self.step = step
    var zeros = ExtentSet()
    for range in step.zeros.sorted(by: { $0.lowerBound < $1.lowerBound }) { zeros.insert(range) }
    self.zeros = zeros
    size = step.byteCount(after: file.size)
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let window = offset..<offset + UInt64(bytes.count)
    try file.readPadded(into: &bytes, at: offset)
    for (from, to) in step.copies {
      let part = (to..<to + (from.upperBound - from.lowerBound)).clamped(to: window)
      guard !part.isEmpty else { continue }
      var target = bytes._mutatingExtracting(
        Int(part.lowerBound - offset)..<Int(part.upperBound - offset))
      try file.read(into: &target, at: from.lowerBound + (part.lowerBound - to))
    }
    for part in zeros.intersection(window) {
      var target = bytes._mutatingExtracting(
        Int(part.lowerBound - offset)..<Int(part.upperBound - offset))
      target.update(repeating: 0)
    }
    for write in step.writes where write.range.overlaps(window) {
      let part = write.range.clamped(to: window)
      let source = write.bytes.span.extracting(
        Int(part.lowerBound - write.offset)..<Int(part.upperBound - write.offset))
      bytes.copy(source, to: Int(part.lowerBound - offset))
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    let copied = step.copies.map { $0.to..<$0.to + ($0.from.upperBound - $0.from.lowerBound) }
    let changed = (step.writes.map(\.range) + copied).filter { $0.upperBound > offset }
      .min { $0.lowerBound < $1.lowerBound }
    var found = changed.map { max($0.lowerBound, offset)..<$0.upperBound }
    var position = offset
    while position < min(file.size, size), let data = try file.nextData(at: position) {
      let start = max(data.lowerBound, position)
      guard start < min(found?.lowerBound ?? size, size) else { break }
      guard let zero = zeros.range(containing: start) else {
        found = start..<min(max(data.upperBound, start + 1), size)
        break
      }
      position = zero.upperBound
    }
    return found
  }
}

/// What can be brought back of an image, and what cannot.
public struct RepairPlan: Sendable {
  /// The steps, in the order in which they must be made; none where there is nothing to do.
  public let steps: [RepairStep]
  /// What was wrong.
  public let before: [Finding]
  /// What will still be wrong.
  public let after: [Finding]
  /// What may have been lost besides, and no repair brings back.
  public let warnings: [Finding]
  /// Whether the disk builds on other files, as far as that can be told.
  public let mayHaveParent: Bool

  /// Looks for what can be done about an image's damage; nothing is written.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - format: What it is.
  ///   - now: Seconds since 1970.
  /// - Throws: `FormatError` when it is no such image, `SourceError` when it cannot be read.
  public init(_ source: any BlockSource, _ format: CheckedFormat, now: Int64) throws {
    var repair = Repair(source)
    switch format {
    case .vhd: try VHDRepair.run(&repair, now: now)
    case .vhdx: try VHDXRepair.run(&repair, identifier: GUID(bytes: try Random.bytes(16)))
    }
    mayHaveParent = try RepairPlan.mayHaveParent(repair.source, format)
    let found = try RepairPlan.findings(source, format, now)
    let left = try repair.steps.isEmpty ? found : RepairPlan.findings(repair.source, format, now)
    before = found.filter { $0.severity.isProblem }
    let problems = left.filter { $0.severity.isProblem }
    // What kept the disk from being read may have hidden other problems.
    let change = RepairPlan.refusals(problems) - RepairPlan.refusals(before)
    let isBetter = change < 0 || change == 0 && problems.count < before.count
    steps = isBetter ? repair.steps : []
    after = isBetter ? problems : before
    warnings = (isBetter ? left : found).filter { $0.severity == .warning }
  }

  private static func mayHaveParent(
    _ source: any BlockSource, _ format: CheckedFormat
  ) throws -> Bool {
    do {
      return try DiskFormats.named(format.rawValue)?.describe(source).type == "differencing"
    } catch is FormatError {
      return true
    }
  }

  private static func refusals(_ findings: [Finding]) -> Int {
    findings.filter { $0.severity == .refusal }.count
  }

  private static func findings(
    _ source: any BlockSource, _ format: CheckedFormat, _ now: Int64
  ) throws -> [Finding] {
    do {
      return try format.findings(in: source, now: now)
    } catch let error as FormatError {
      return [Finding(.refusal, error)]
    }
  }
}

/// A repair that is being planned: the file as it will be after the steps so far.
struct Repair {
  private(set) var steps: [RepairStep] = []
  private(set) var source: any BlockSource

  init(_ source: any BlockSource) { self.source = source }

  mutating func add(_ step: RepairStep) {
    steps.append(step)
    source = RepairedSource(source, step)
  }
}
