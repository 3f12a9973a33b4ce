public import Blocks

/// Where a disk's bytes go.
///
/// Places ascend and do not overlap; what is left out reads as zeros.
public protocol DiskTarget: AnyObject {
  /// Takes over a segment, whose pieces are written to their places on the disk.
  ///
  /// The segment is the target's until it is recycled: it may change what is no piece of it.
  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws
  /// Completes the image; without this, nothing that was written makes an image.
  func finish() throws
  /// Ends the writing; called also when the image is not completed.
  func close()
}

/// Takes back a segment whose bytes are written.
public typealias Recycling = (Segment) -> Void
