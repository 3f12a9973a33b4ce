import Blocks
import Bytes
import Platform
import Testing

@testable import Reading

/// A file that is removed when the test is done with it.
final class ScratchFile {
  let path: String
  let file: FileDescriptor

  init(_ content: [UInt8] = [], name: String = "disk.raw") throws {
    let folder = "/tmp/vpipe-reading-" + Hex.text(try Random.bytes(6))
    try Files.makeDirectory(folder)
    path = "\(folder)/\(name)"
    file = try FileDescriptor(path, .create)
    try file.write(content)
  }

  deinit {
    try? Files.remove(path)
    try? Files.removeDirectory(Files.folder(of: path))
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws { try file.write(bytes.span, at: offset) }
}

/// All that a feed delivered of its volumes, checked for its promises.
struct Delivery {
  var headers: [VolumeHeader] = []
  /// The content by volume, with zeros for holes.
  var content: [[UInt8]] = []
  /// Runs of one kind by volume, joined; nil is data.
  var kinds: [[(range: Range<UInt64>, kind: HoleKind?)]] = []
  var warnings: [String] = []
  var itemCount = 0
  var missing: [String] = []

  /// - Parameters:
  ///   - feed: Is read to its end.
  ///   - keepsContent: False for volumes that do not fit into memory.
  /// - Throws: What the feed throws.
  init(_ feed: any VolumeFeed, keepsContent: Bool = true) throws {
    var positions: [UInt64] = []
    while let item = try feed.next() {
      itemCount += 1
      switch item {
      case .volume(let header):
        #expect(Int(header.number) == headers.count)
        headers.append(header)
        content.append(keepsContent ? [UInt8](repeating: 0, count: Int(header.size)) : [])
        kinds.append([])
        positions.append(0)
      case .segment(let segment):
        try segment.load()
        let number = Int(segment.volume)
        #expect(segment.offset == positions[number])
        #expect(segment.runs.first?.range.lowerBound == 0)
        #expect(segment.runs.last?.range.upperBound == segment.count)
        var end = 0
        for run in segment.runs {
          #expect(run.range.lowerBound == end)
          end = run.range.upperBound
          take(run, of: segment, number, keepsContent)
        }
        positions[number] += UInt64(segment.count)
        feed.recycle(segment)
      case .span(let span):
        let number = Int(span.volume)
        #expect(span.range.lowerBound == positions[number])
        note(span.range, span.kind, number)
        positions[number] = span.range.upperBound
      case .warning(let text): warnings.append(text)
      case .attachment, .foreign: Issue.record("an attachment")
      }
    }
    #expect(positions == headers.map(\.size))
    warnings += try feed.lateWarnings()
    missing = feed.missing
  }

  private mutating func take(
    _ run: Segment.Run, of segment: Segment, _ number: Int, _ keepsContent: Bool
  ) {
    let start = segment.offset + UInt64(run.range.lowerBound)
    let range = start..<start + UInt64(run.range.count)
    switch run.content {
    case .data:
      note(range, nil, number)
      guard keepsContent else { return }
      let buffer = segment.buffer
      var target = content[number].mutableSpan
      target.copy(buffer.span(run.range), to: Int(start))
    case .hole(let kind): note(range, kind, number)
    case .chunk: Issue.record("a chunk")
    }
  }

  private mutating func note(_ range: Range<UInt64>, _ kind: HoleKind?, _ number: Int) {
    #expect(!range.isEmpty)
    if let last = kinds[number].last, last.kind == kind {
      kinds[number][kinds[number].count - 1].range = last.range.lowerBound..<range.upperBound
    } else {
      kinds[number].append((range, kind))
    }
  }

  func ranges(_ kind: HoleKind?, of number: Int = 0) -> [Range<UInt64>] {
    kinds[number].filter { $0.kind == kind }.map(\.range)
  }
}

/// Numbers that look random and come again with the same seed.
struct Noise: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  /// Bytes, none of them zero; they repeat, but not at a distance that anything here has.
  mutating func bytes(_ count: Int) -> [UInt8] {
    let part = (0..<min(count, 32_749)).map { _ in UInt8(truncatingIfNeeded: next() >> 20) | 1 }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    while result.count < count { result += part.prefix(count - result.count) }
    return result
  }
}

extension ReadOptions {
  init(_ change: (inout ReadOptions) -> Void) {
    self.init()
    change(&self)
  }
}
