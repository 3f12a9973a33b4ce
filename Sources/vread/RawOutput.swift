internal import Blocks
internal import Bytes
internal import Platform
internal import ToolSupport

/// The plain bytes of one volume, with zeros for holes.
final class RawOutput: Output {
  private static let zeros = Buffer(count: 1 << 20)
  private let file: FileDescriptor
  private var name: String?

  init(_ file: FileDescriptor) {
    self.file = file
    file.widenPipe()
    RawOutput.zeros.clear(0..<RawOutput.zeros.count)
  }

  func put(_ item: FeedItem) throws {
    switch item {
    case .segment(let segment): try write(segment)
    case .span(let span): try writeZeros(span.range.upperBound - span.range.lowerBound)
    case .volume(let header):
      if let name {
        throw Failure(
          .usage, "--raw takes one disk, but there are \(name) and \(header.name)",
          hint: "pick one of them with --disk")
      }
      name = header.name
    case .attachment, .warning, .foreign: break
    }
  }

  func finish(missing: [String]) throws {}

  func abort(_ reason: String) {}

  private func write(_ segment: Segment) throws {
    let buffer = segment.buffer
    for run in segment.runs {
      if case .data = run.content {
        try file.write(buffer.span(run.range))
      } else {
        try writeZeros(UInt64(run.range.count))
      }
    }
  }

  private func writeZeros(_ byteCount: UInt64) throws {
    let zeros = RawOutput.zeros
    var left = byteCount
    while left > 0 {
      let count = Int(min(left, UInt64(zeros.count)))
      try file.write(zeros.span(0..<count))
      left -= UInt64(count)
    }
  }
}
