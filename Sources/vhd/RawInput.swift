internal import Blocks
internal import Bytes
internal import Platform
internal import ToolSupport

/// Plain bytes from a pipe or a file as one volume of a size that was told beforehand.
///
/// Nothing seals such input; the size is the only thing that tells whether it is whole.
final class RawInput: VolumeFeed {
  private let input: FileDescriptor
  private let size: UInt64
  private let pool = SegmentPool()
  private var position: UInt64 = 0
  private var announced = false

  var missing: [String] { [] }

  init(_ input: FileDescriptor, size: UInt64) {
    self.input = input
    self.size = size
    input.widenPipe()
  }

  func recycle(_ segment: Segment) { pool.give(segment) }

  func next() throws -> FeedItem? {
    guard announced else {
      announced = true
      return .volume(VolumeHeader(number: 0, size: size))
    }
    guard position < size else {
      try expectEnd()
      return nil
    }
    let count = Int(min(UInt64(Segment.byteCount), size - position))
    let segment = pool.take()
    segment.reset(volume: 0, offset: position, count: count)
    let buffer = segment.buffer
    var target = buffer.mutableSpan(0..<count)
    let got = try input.readFully(into: &target)
    guard got == count else {
      throw Failure(
        .upstream, "stdin: ends after \(position + UInt64(got)) bytes, \(size) were announced")
    }
    position += UInt64(count)
    segment.loader = { segment in
      let buffer = segment.buffer
      Zeros.forEachRun(buffer.span(0..<segment.count)) { range, isZero in
        segment.append(range, isZero ? .hole(.zero) : .data)
      }
    }
    return .segment(segment)
  }

  private func expectEnd() throws {
    var byte = [UInt8](repeating: 0, count: 1)
    var span = byte.mutableSpan
    guard try input.readFully(into: &span) == 0 else {
      throw Failure(.damaged, "stdin: goes on after the \(size) bytes that were announced")
    }
  }
}
