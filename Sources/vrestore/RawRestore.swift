internal import Blocks
internal import Bytes
internal import Platform
internal import ToolSupport

/// One volume's plain bytes on stdout.
enum RawRestore {
  static func run(
    _ feed: any VolumeFeed, _ wanted: Range<UInt64>, _ subject: String, _ options: OutputOptions
  ) throws(Failure) {
    let output = FileDescriptor.standardOutput
    output.widenPipe()
    let zeros = Buffer(count: 1 << 20)
    zeros.clear(0..<zeros.count)
    let progress = Progress("restored", total: wanted.upperBound - wanted.lowerBound, options)
    func write(_ content: VolumePiece) throws(Failure) {
      try naming("stdout") {
        switch content {
        case .bytes(let buffer, let range, _): try output.write(buffer.span(range))
        case .zeros(let range):
          var left = range.upperBound - range.lowerBound
          while left > 0 {
            let count = min(left, UInt64(zeros.count))
            try output.write(zeros.span(0..<Int(count)))
            left -= count
            progress.advance(count)
          }
        }
      }
    }
    while let item = try naming(subject, { try feed.next() }) {
      try VolumePiece.forEach(in: item, wanted) { piece throws(Failure) in
        try write(piece)
        if case .bytes(_, let range, _) = piece { progress.advance(UInt64(range.count)) }
      }
      if case .segment(let segment) = item { feed.recycle(segment) }
    }
    progress.finish()
  }
}

/// A stretch of a volume's bytes that are wanted.
enum VolumePiece {
  /// Bytes in a buffer, and where in the volume they start.
  case bytes(Buffer, Range<Int>, at: UInt64)
  /// A range of the volume that reads as zero.
  case zeros(Range<UInt64>)

  /// Calls `body` with the wanted parts of a feed's item, in order.
  static func forEach(
    in item: FeedItem, _ wanted: Range<UInt64>, _ body: (VolumePiece) throws(Failure) -> Void
  ) throws(Failure) {
    switch item {
    case .span(let span):
      let part = span.range.clamped(to: wanted)
      if !part.isEmpty { try body(.zeros(part)) }
    case .segment(let segment):
      for run in segment.runs {
        let start = segment.offset + UInt64(run.range.lowerBound)
        let part = (start..<start + UInt64(run.range.count)).clamped(to: wanted)
        guard !part.isEmpty else { continue }
        if case .hole = run.content {
          try body(.zeros(part))
        } else {
          let first = Int(part.lowerBound - segment.offset)
          let range = first..<first + Int(part.upperBound - part.lowerBound)
          try body(.bytes(segment.buffer, range, at: part.lowerBound))
        }
      }
    case .volume, .attachment, .warning, .foreign: break
    }
  }
}
