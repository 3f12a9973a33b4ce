internal import Blocks
internal import Bytes

/// What must be true of an archive's end.
enum ArchiveEnd {
  /// The refusal of a tar that goes on behind its end.
  static func isNone(at offset: UInt64) -> FormatError {
    FormatError(
      "archive", at: offset,
      .impossible("more than zeros behind the archive's end: a file's header is damaged"))
  }
}

/// An archive's bytes, of which is remembered how they end.
///
/// A tar ends with two sectors of zeros and nothing but zeros behind them (POSIX, pax, "ustar
/// Interchange Format"). A zip ends with a record that tells how many files it holds (APPNOTE.TXT
/// 4.3.16, "End of central directory record"):
///
///     offset size  field
///          0    4  signature  "PK", 5, 6
///         10    2  files in the archive; all ones when a zip64 record tells it
///         20    2  length of the comment behind it
///
/// libarchive takes a header that was wiped out for a tar's end, and passes over damage between the
/// files of a zip. So files could vanish, the manifest among them, and nobody would know.
final class EndingStream: ByteStream {
  /// Of a zip's last record without a comment.
  private static let recordByteCount = 22
  private static let signature: [UInt8] = [0x50, 0x4B, 0x05, 0x06]

  private let stream: any ByteStream
  private var position: UInt64 = 0
  /// Behind the last byte that is not zero.
  private var dataEnd: UInt64 = 0
  /// The last few bytes.
  private var tail: [UInt8] = []

  init(_ stream: any ByteStream) { self.stream = stream }

  func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    let got = try stream.read(into: &bytes)
    let piece = bytes.span.extracting(0..<got)
    if let last = EndingStream.lastData(piece) { dataEnd = position + UInt64(last) + 1 }
    position += UInt64(got)
    for index in max(0, got - EndingStream.recordByteCount)..<got { tail.append(piece[index]) }
    tail.removeFirst(max(0, tail.count - EndingStream.recordByteCount))
    return got
  }

  /// What is passed over is part of a file.
  func skip(_ byteCount: UInt64) throws -> UInt64 {
    let count = try stream.skip(byteCount)
    position += count
    if count > 0 { dataEnd = position }
    return count
  }

  /// Reads what is left.
  func drain() throws {
    let buffer = Buffer(count: 64 << 10)
    while true {
      var span = buffer.mutableSpan(0..<buffer.count)
      if try read(into: &span) == 0 { return }
    }
  }

  /// Proves that a tar ends as it must, when all of it has been read.
  ///
  /// - Parameters:
  ///   - place: Where the sectors of zeros must begin.
  ///   - taken: How far the archive's reader has come.
  func requireTarEnd(at place: UInt64, read taken: UInt64) throws(FormatError) {
    // Without the zeros, it is cut off between two files.
    if taken < place + 512 { throw FormatError("archive", at: taken, .truncated) }
    if dataEnd > place { throw ArchiveEnd.isNone(at: dataEnd - 1) }
  }

  /// Proves that as many files came as a zip tells of, when all of it has been read.
  func requireZipEnd(_ memberCount: Int) throws(FormatError) {
    let place = position - UInt64(tail.count)
    guard tail.count == EndingStream.recordByteCount else {
      throw FormatError("archive", at: place, .truncated)
    }
    guard tail.starts(with: EndingStream.signature) else {
      throw FormatError(
        "archive", at: place, .impossible("a zip that does not end with its directory's record"))
    }
    let told = Int(tail[10]) | Int(tail[11]) << 8
    guard told == memberCount else {
      throw FormatError(
        "archive", at: place,
        .impossible("a zip of \(told) files, of which \(memberCount) are there"))
    }
  }

  /// Where the last byte is that is not zero; nil when there is none.
  private static func lastData(_ bytes: Span<UInt8>) -> Int? {
    var end = bytes.count
    while end > 0 {
      let start = max(0, end - Zeros.grain)
      if Zeros.isZero(bytes.extracting(start..<end)) {
        end = start
        continue
      }
      while bytes[end - 1] == 0 { end -= 1 }
      return end - 1
    }
    return nil
  }
}
