internal import Blocks
internal import Bytes

/// Reads the markers of a streamed VMDK and what follows them, sector by sector.
final class MarkerReader {
  enum Item {
    case grain(StreamedGrain)
    /// A grain table, and the sector that it begins at.
    case table([UInt8], sector: UInt64)
    /// A directory of so many entries, which `word` then gives, and the sector that it begins at.
    case directory(UInt64, sector: UInt64)
    /// The footer's 512 bytes, and where they lie.
    case footer([UInt8], offset: UInt64)
    case end
  }

  private static let markerByteCount = 12

  private let stream: any ByteStream
  private let header: VMDKHeader
  /// Where in the stream the next byte is.
  private(set) var position: UInt64
  /// Entries of the directory that were read and not given out.
  private var words: [UInt8] = []
  private var nextWord = 0
  private var wordsLeft: UInt64 = 0

  /// - Parameters:
  ///   - stream: At its first marker.
  ///   - position: Where that is.
  ///   - header: The stream's header.
  init(_ stream: any ByteStream, at position: UInt64, _ header: VMDKHeader) {
    self.stream = stream
    self.position = position
    self.header = header
  }

  private func refuse(_ offset: UInt64, _ text: String) -> FormatError {
    FormatError("VMDK marker", at: offset, .impossible(text))
  }

  /// Reads the next marker and what belongs to it.
  ///
  /// - Parameter mayEndHere: Whether the end of the stream is one of the VMDK, too.
  func next(_ mayEndHere: Bool) throws -> Item {
    while true {
      if let item = try nextUnlessNote(mayEndHere) { return item }
    }
  }

  /// The next marker; nil for one that says nothing of the disk.
  private func nextUnlessNote(_ mayEndHere: Bool) throws -> Item? {
    let offset = position
    guard let sector = try sector(mayEnd: mayEndHere) else { return .end }
    let value = sector.span.little64(at: 0)
    let size = UInt64(sector.span.little32(at: 8))
    if size != 0 { return .grain(try grain(value, size, sector, at: offset)) }
    switch sector.span.little32(at: 12) {
    case 0:
      guard value == 0 else { throw refuse(offset, "an end with \(value) sectors behind it") }
      try expectEnd()
      return .end
    case 1:
      let count = header.entries * 4
      guard value == count / VMDKHeader.sector else {
        throw refuse(offset, "a grain table of \(value) sectors")
      }
      let start = position
      return .table(try bytes(Int(count)), sector: start / VMDKHeader.sector)
    case 2:
      let count = header.directoryEntries
      guard value == (count * 4 + 511) / VMDKHeader.sector else {
        throw refuse(offset, "a grain directory of \(value) sectors")
      }
      words = []
      nextWord = 0
      wordsLeft = value * VMDKHeader.sector / 4
      return .directory(count, sector: position / VMDKHeader.sector)
    case 3:
      guard value == 1 else { throw refuse(offset, "a footer of \(value) sectors") }
      let start = position
      return .footer(try bytes(Int(VMDKHeader.sector)), offset: start)
    case 4:
      // Progress of the writer; nothing of the disk.
      guard value <= 1 else { throw refuse(offset, "a note of \(value) sectors") }
      _ = try bytes(Int(value * VMDKHeader.sector))
      return nil
    case let kind: throw refuse(offset, "kind \(kind) is not known")
    }
  }

  /// Reads the next sector; nil where the stream ends instead, if it may.
  private func sector(mayEnd: Bool) throws -> [UInt8]? {
    let result = try stream.bytes(Int(VMDKHeader.sector))
    if result.isEmpty, mayEnd { return nil }
    position += UInt64(result.count)
    guard result.count == Int(VMDKHeader.sector) else {
      throw FormatError("VMDK", at: position, .truncated)
    }
    return result
  }

  private func bytes(_ count: Int) throws -> [UInt8] {
    let result = try stream.bytes(count)
    position += UInt64(result.count)
    guard result.count == count else { throw FormatError("VMDK", at: position, .truncated) }
    return result
  }

  private func grain(
    _ value: UInt64, _ size: UInt64, _ sector: [UInt8], at offset: UInt64
  ) throws -> StreamedGrain {
    // What does not compress becomes a little longer.
    guard size <= 2 * header.grainByteCount else {
      throw refuse(offset, "a grain of \(size) compressed bytes")
    }
    guard value < header.capacity, value % header.grainSectors == 0 else {
      throw refuse(offset, "a grain for sector \(value), which begins none of the disk's")
    }
    let inner = MarkerReader.markerByteCount
    let room = sector.count - inner
    var packed = Array(sector[inner..<inner + min(room, Int(size))])
    if Int(size) > room {
      packed.reserveCapacity(Int(size))
      let rest = Int(size) - room
      packed += try bytes(rest)
      try skipPadding((512 - rest % 512) % 512)
    }
    return StreamedGrain(
      index: value / header.grainSectors, sector: offset / VMDKHeader.sector, bytes: packed)
  }

  /// Reads up to the next sector; some programs leave the padding of the last grain out.
  private func skipPadding(_ count: Int) throws {
    let padding = try stream.bytes(count)
    position += UInt64(padding.count)
  }

  /// The directory's next entry.
  func word() throws -> UInt32 {
    if nextWord == words.count {
      let count = Int(min(wordsLeft * 4, 64 << 10))
      words = try bytes(count)
      nextWord = 0
      wordsLeft -= UInt64(count / 4)
    }
    let words = words
    nextWord += 4
    return words.span.little32(at: nextWord - 4)
  }

  /// Nothing may follow the end but zeros, as some programs fill up with them.
  private func expectEnd() throws {
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      var span = piece.mutableSpan
      let got = try stream.read(into: &span)
      if got == 0 { return }
      guard Zeros.isZero(piece.span.extracting(0..<got)) else {
        throw refuse(position, "bytes behind the end of the stream")
      }
      position += UInt64(got)
    }
  }
}
