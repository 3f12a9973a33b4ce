internal import Blocks
internal import Bytes
internal import Platform
internal import ToolSupport
internal import Writing

/// One volume into a file, sparse, or onto a block device.
struct FileRestore {
  private let path: String
  private let wanted: Range<UInt64>
  /// How much of it is data; the rest takes no room in a file.
  private let dataBytes: UInt64
  private let isForced: Bool
  private let isZero: Bool
  private let options: OutputOptions

  /// - Parameters:
  ///   - wanted: The bytes of the volume that the target gets, from its start.
  ///   - dataBytes: How many of them are data, not holes.
  ///   - isZero: Whether a device holds zeros already.
  init(
    _ path: String, _ wanted: Range<UInt64>, dataBytes: UInt64, isForced: Bool, isZero: Bool,
    _ options: OutputOptions
  ) {
    self.path = path
    self.wanted = wanted
    self.dataBytes = dataBytes
    self.isForced = isForced
    self.isZero = isZero
    self.options = options
  }

  private var count: UInt64 { wanted.upperBound - wanted.lowerBound }

  func run(_ feed: any VolumeFeed, _ subject: String) throws(Failure) {
    let status = try naming(path) { try Files.status(path) }
    switch status?.kind {
    case .blockDevice?: try toDevice(feed, subject)
    case nil, .regular?: try toFile(feed, subject)
    default:
      throw Failure(
        .usage, "\(path): neither a file nor a block device", hint: "for a pipe use --raw")
    }
  }

  private func toFile(_ feed: any VolumeFeed, _ subject: String) throws(Failure) {
    let file = try OutputFile.open(path, isForced: isForced)
    let free = try naming(path) { try file.file.freeBytes() }
    guard free >= dataBytes else {
      throw Failure(
        .failed,
        "\(path): \(ByteSize.text(dataBytes)) are needed, "
          + "but only \(ByteSize.text(free)) are free")
    }
    try naming(path) { try file.file.truncate(to: count) }
    try fill(file.file, isZero: true, feed, subject)
    try naming(path) { try file.commit(replacing: isForced) }
  }

  private func toDevice(_ feed: any VolumeFeed, _ subject: String) throws(Failure) {
    guard isForced else {
      throw Failure(
        .usage, "\(path): a block device, all of whose content would be lost",
        hint: "--force does it")
    }
    let device = try naming(path) { try FileDescriptor(path, .updateExclusive) }
    let size = try naming(path) { try device.contentSize() }
    guard size >= count else {
      throw Failure(.failed, "\(path): \(size) bytes, but \(count) are needed")
    }
    if size > count {
      Console.warn("\(path): \(size - count) bytes at its end are left as they are")
    }
    try fill(device, isZero: isZero, feed, subject)
    try naming(path) {
      try device.sync()
      try device.close()
    }
  }

  /// - Parameter isZero: Whether what is not written reads as zero.
  private func fill(
    _ file: FileDescriptor, isZero: Bool, _ feed: any VolumeFeed, _ subject: String
  ) throws(Failure) {
    let progress = Progress("restored", total: count, options)
    let start = wanted.lowerBound
    let target = BulkFile(file)
    let writer = SegmentWriter(target) { feed.recycle($0) }
    defer { writer.close() }
    while let item = try naming(subject, { try feed.next() }) {
      var pieces: [SegmentWriter.Piece] = []
      try VolumePiece.forEach(in: item, wanted) { piece throws(Failure) in
        switch piece {
        case .bytes(_, let range, let place):
          pieces.append(.init(range, at: place - start))
          progress.advance(UInt64(range.count))
        case .zeros(let range):
          if !isZero {
            try naming(path) {
              let range = range.lowerBound - start..<range.upperBound - start
              // A page that holds the end of some data must not be written and zeroed at once.
              if !BulkFile.isAligned(range) { try writer.finish() }
              try target.zero(range)
            }
          }
          progress.advance(range.upperBound - range.lowerBound)
        }
      }
      if case .segment(let segment) = item {
        try naming(path) { try writer.write(segment, pieces) }
      }
    }
    try naming(path) { try writer.finish() }
    progress.finish()
  }
}
