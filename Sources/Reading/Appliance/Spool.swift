internal import Blocks
internal import Bytes
internal import Platform

/// A file without a name that holds, for a while, disks that came in order and are read in another.
public final class Spool: Sendable {
  /// How much may be saved when nothing else is said: 64 GiB.
  public static let usualLimit: UInt64 = 64 << 30

  private let folder: String
  private let limit: UInt64
  private let file = Locked<Result<FileDescriptor, SystemError>?>(nil)
  /// Where the last disk ended.
  private let end = Locked<UInt64>(0)

  /// - Parameters:
  ///   - folder: Where it is made when it is needed; nil takes `TMPDIR`, or else /tmp.
  ///   - limit: The most bytes of all disks together.
  public init(in folder: String? = nil, limit: UInt64 = Spool.usualLimit) {
    self.folder = folder ?? Environment.value("TMPDIR") ?? "/tmp"
    self.limit = limit
  }

  /// Makes the file now, as that is no longer possible in a sandbox.
  ///
  /// Nothing of the sources is known yet then; that it failed is told when the file is needed.
  public func prepare() { _ = made() }

  private func made() -> Result<FileDescriptor, SystemError> {
    file.with { file in
      if let file { return file }
      let made: Result<FileDescriptor, SystemError>
      do throws(SystemError) {
        made = .success(try Files.unnamed(in: folder))
      } catch {
        made = .failure(error)
      }
      file = made
      return made
    }
  }

  /// Begins to save a disk; there is only one at a time.
  ///
  /// - Parameter name: What it is called in messages.
  func begin(_ name: String) throws(ReadingError) -> SpooledDisk {
    switch made() {
    case .success(let file):
      return SpooledDisk(file, at: end.with { $0 }, limit: limit, folder: folder, name)
    case .failure(let error): throw trouble(error)
    }
  }

  /// Takes the disk as it was saved; the next one comes behind it.
  func finish(_ spool: SpooledDisk) throws -> (file: InputFile, range: Range<UInt64>) {
    let range = try spool.finish()
    end.with { $0 = range.upperBound }
    return (try InputFile(try made().get(), spool.name), range)
  }

  private func trouble(_ error: SystemError) -> ReadingError {
    SpooledDisk.trouble(error, folder)
  }
}

/// A disk that is being saved.
final class SpooledDisk {
  private let file: FileDescriptor
  private let start: UInt64
  private let limit: UInt64
  private let folder: String
  let name: String
  private var end: UInt64

  fileprivate init(
    _ file: FileDescriptor, at start: UInt64, limit: UInt64, folder: String, _ name: String
  ) {
    self.file = file
    self.start = start
    self.limit = limit
    self.folder = folder
    self.name = name
    end = start
  }

  fileprivate static func trouble(_ error: SystemError, _ folder: String) -> ReadingError {
    .failed(
      "spool file in \(folder): \(error)",
      hint: "--spool names another folder, or save it to a file and read that")
  }

  /// Writes what is not zero of `bytes`, at a place of the disk's file.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ReadingError) {
    let room = limit - min(start, limit)
    guard UInt64(bytes.count) <= room, offset <= room - UInt64(bytes.count) else {
      throw .failed(
        "\(name): has to be saved before it can be read, but there may be no more than \(limit) bytes",
        hint: "--spool-limit allows more, or save it to a file and read that")
    }
    let place = start + offset
    end = max(end, place + UInt64(bytes.count))
    var runs: [Range<Int>] = []
    Zeros.forEachRun(bytes) { range, isZero in if !isZero { runs.append(range) } }
    do {
      for run in runs { try file.write(bytes.extracting(run), at: place + UInt64(run.lowerBound)) }
    } catch {
      throw SpooledDisk.trouble(error, folder)
    }
  }

  /// Appends all of `stream` from `offset` on.
  func append(_ stream: any ByteStream, at offset: UInt64) throws {
    var position = offset
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      var span = piece.mutableSpan
      let got = try stream.readFully(into: &span)
      if got == 0 { return }
      try write(piece.span.extracting(0..<got), at: position)
      position += UInt64(got)
    }
  }

  /// Where all of it lies.
  fileprivate func finish() throws -> Range<UInt64> {
    try file.truncate(to: end)
    return start..<end
  }
}
