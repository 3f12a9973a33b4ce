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
  /// - Returns: The image, whose file is gone with it.
  /// - Throws: `AuditTrouble` with the folder's name, and what reading the source throws.
  func image(of source: any BlockSource) throws -> ScratchImage {
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
    return ScratchImage(image, size: source.size, sectorSize: source.sectorSize)
  }

  private func naming<Result>(_ body: () throws -> Result) throws(AuditTrouble) -> Result {
    do { return try body() } catch { throw AuditTrouble(folder, error) }
  }
}

/// A volume in a file of its own, which is thrown away.
///
/// What it was made of may cost much to read here and there, such as chunks that are packed
/// together; the file costs nothing.
final class ScratchImage: BlockSource {
  /// Never committed.
  private let owner: Locked<AtomicFile>
  private let file: FileDescriptor
  /// The file, for programs.
  let path: String
  let size: UInt64
  let sectorSize: UInt32

  init(_ file: AtomicFile, size: UInt64, sectorSize: UInt32) {
    owner = Locked(file)
    self.file = file.file
    path = file.temporary
    self.size = size
    self.sectorSize = sectorSize
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let wanted = offset..<offset + UInt64(bytes.count)
    do {
      guard try file.read(into: &bytes, at: offset) == bytes.count else {
        throw AuditTrouble(path, SourceError(wanted, .ended))
      }
    } catch let error as SystemError {
      throw AuditTrouble(path, error)
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    do {
      return try file.nextData(at: offset, size: size)
    } catch {
      throw AuditTrouble(path, error)
    }
  }
}
