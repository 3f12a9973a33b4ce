internal import Blocks
internal import Bytes
internal import Platform

/// Images that are looked at and thrown away; a signal removes them, too.
struct Scratch {
  private static let pieceByteCount: UInt64 = 1 << 20
  /// Where they are made.
  let folder: String

  /// Writes the bytes of a source to a sparse file.
  ///
  /// - Returns: The file, which is never to be committed, and is gone with its owner.
  func image(of source: any BlockSource) throws -> AtomicFile {
    let image = try AtomicFile("\(folder)/vpipe-audit.img", replacing: true, permissions: 0o600)
    let file = image.file
    try file.truncate(to: source.size)
    let buffer = Buffer(count: Int(Scratch.pieceByteCount))
    var position: UInt64 = 0
    while position < source.size, let data = try source.nextData(at: position) {
      position = max(position, data.lowerBound)
      while position < data.upperBound {
        let count = Int(min(Scratch.pieceByteCount, data.upperBound - position))
        var target = buffer.mutableSpan(0..<count)
        try source.read(into: &target, at: position)
        let place = position
        try Zeros.forEachRun(buffer.span(0..<count)) { run, isZero in
          if !isZero { try file.write(buffer.span(run), at: place + UInt64(run.lowerBound)) }
        }
        position += UInt64(count)
      }
    }
    return image
  }
}
