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
  /// - Throws: `AuditTrouble` with the folder's name, and what reading the source throws.
  func image(of source: any BlockSource) throws -> AtomicFile {
    let image = try naming {
      try AtomicFile("\(folder)/vpipe-audit.img", replacing: true, permissions: 0o600)
    }
    let file = image.file
    try naming { try file.truncate(to: source.size) }
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
          guard !isZero else { return }
          try naming { try file.write(buffer.span(run), at: place + UInt64(run.lowerBound)) }
        }
        position += UInt64(count)
      }
    }
    return image
  }

  private func naming<Result>(_ body: () throws -> Result) throws(AuditTrouble) -> Result {
    do { return try body() } catch { throw AuditTrouble(folder, error) }
  }
}
