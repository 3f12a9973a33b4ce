internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// The file that a repair or a change of size works on.
enum RepairedFile {
  private static let pieceByteCount: UInt64 = 4 << 20

  /// Makes one step; the caller flushes.
  static func make(_ step: RepairStep, in file: FileDescriptor) throws(SystemError) {
    let size = try file.status().size
    if step.leastByteCount > size { try file.truncate(to: step.leastByteCount) }
    for (from, to) in step.copies { try copy(from, to: to, in: file) }
    let bulk = BulkFile(file, isCached: true)
    for range in step.zeros { try bulk.zero(range) }
    for write in step.writes { try file.write(write.bytes.span, at: write.offset) }
    if step.mostByteCount < size { try file.truncate(to: step.mostByteCount) }
  }

  private static func copy(
    _ range: Range<UInt64>, to place: UInt64, in file: FileDescriptor
  ) throws(SystemError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = min(range.upperBound - position, pieceByteCount)
      let bytes = try file.read(Int(count), at: position)
      try file.write(bytes.span, at: place + (position - range.lowerBound))
      position += count
    }
  }

  /// Makes all steps in the file itself, each flushed before the next one.
  ///
  /// - Parameter planned: The file as it was opened before the steps were planned: they are made only
  ///   if nobody has written to it since.
  static func make(
    _ steps: [RepairStep], inPlace path: String, planned: InputFile
  ) throws(Failure) {
    try naming(path) {
      let target = try FileDescriptor(path, .updateExclusive)
      guard try target.lock() else {
        throw Failure(.busy, "\(path): somebody else has it locked")
      }
      guard try !planned.hasChanged(), planned.isFile(try target.status()) else {
        throw Failure(
          .busy, "\(path): was changed by somebody else meanwhile", hint: "run it again")
      }
      for step in steps {
        try make(step, in: target)
        try target.sync()
      }
      try target.close()
    }
  }

  /// Makes all steps in a copy, which appears when it is whole.
  static func make(
    _ steps: [RepairStep], _ path: String, copiedTo output: String, isForced: Bool
  ) throws(Failure) {
    let copy = try copy(path, to: output, isForced: isForced)
    try naming(output) {
      for step in steps { try make(step, in: copy.file) }
      try copy.commit(replacing: isForced)
    }
  }

  /// Begins a copy of a file, with its holes, that is not there yet under its name.
  ///
  /// Nobody may read it who may not read the file.
  static func copy(
    _ path: String, to output: String, isForced: Bool
  ) throws(Failure) -> AtomicFile {
    let source = try naming(path) { try InputFile(path) }
    let copy = try OutputFile.open(output, isForced: isForced, permissions: source.permissions)
    var piece = [UInt8](repeating: 0, count: Int(pieceByteCount))
    do {
      try copy.file.truncate(to: source.size)
      var position: UInt64 = 0
      while let data = try source.nextData(at: position) {
        position = data.lowerBound
        while position < data.upperBound {
          let count = Int(min(data.upperBound - position, pieceByteCount))
          var whole = piece.mutableSpan
          var span = whole._mutatingExtracting(0..<count)
          try source.read(into: &span, at: position)
          try copy.file.write(piece.span.extracting(0..<count), at: position)
          position += UInt64(count)
        }
      }
      guard try !source.hasChanged() else {
        throw Failure(.failed, "\(path): changed while it was copied")
      }
    } catch let error as SourceError {
      copy.discard()
      throw Failure(path, error)
    } catch {
      copy.discard()
      throw Failure(output, error)
    }
    return copy
  }
}
