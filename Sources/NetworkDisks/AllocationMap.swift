internal import Blocks
internal import Platform

/// What is known of where a served disk holds data, asked for piece by piece.
///
/// The facts are those of the NBD protocol, "Metadata querying", base:allocation. A server may
/// answer with less than it was asked for, and tell of more; what it says is clamped to what was
/// asked, and asked for again where it ended. Only the promise that a range reads as zeros makes
/// a hole: "hole" alone tells how it is stored.
final class AllocationMap: Sendable {
  /// Bytes that are asked about at once; the protocol has 32 bits for them.
  static let questionByteCount: UInt64 = 2 << 30
  /// How many answers are kept: the one who plans is ahead of those who read.
  private static let answerLimit = 4

  /// What one answer told.
  struct Answer: Sendable {
    let range: Range<UInt64>
    /// The data in it, in order, joined.
    let data: [Range<UInt64>]

    /// The data at or after `offset`.
    func data(at offset: UInt64) -> Range<UInt64>? {
      var low = 0
      var high = data.count
      while low < high {
        let middle = (low + high) / 2
        if data[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
      }
      guard low < data.count else { return nil }
      return max(data[low].lowerBound, offset)..<data[low].upperBound
    }
  }

  private let size: UInt64
  private let alignment: UInt64
  private let ask: @Sendable (Range<UInt64>) throws -> [NBDConnection.Extent]?
  private let answers = Locked<[Answer]>([])

  /// - Parameters:
  ///   - size: The disk's size.
  ///   - alignment: Where questions must begin and end, but at the disk's end.
  ///   - ask: Asks the server; nil when it cannot tell.
  init(
    size: UInt64, alignment: UInt64,
    ask: @escaping @Sendable (Range<UInt64>) throws -> [NBDConnection.Extent]?
  ) {
    self.size = size
    self.alignment = alignment
    self.ask = ask
  }

  /// The first range at or after `offset` that may hold data; nil when only zeros are left.
  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var position = offset
    while position < size {
      let answer = try self.answer(at: position)
      if let data = answer.data(at: position) { return data }
      position = answer.range.upperBound
    }
    return nil
  }

  /// An answer that tells of the byte at `position` at least.
  private func answer(at position: UInt64) throws -> Answer {
    // Who finds nothing here asks while the others wait: they would ask for the same.
    try answers.with { answers in
      if let known = answers.first(where: { $0.range.contains(position) }) { return known }
      let start = position / alignment * alignment
      let count = AllocationMap.questionByteCount / alignment * alignment
      let question = start..<start + min(max(count, alignment), size - start)
      let answer = try AllocationMap.judge(try ask(question), to: question)
      guard answer.range.contains(position) else {
        // It tells of nothing but the bytes before: what is wanted is taken for data.
        return Answer(range: question, data: [question])
      }
      answers.append(answer)
      if answers.count > AllocationMap.answerLimit { answers.removeFirst() }
      return answer
    }
  }

  /// What an answer is worth; where the server cannot tell, everything is data.
  ///
  /// - Throws: `SourceError` when it is empty, or has an empty range.
  static func judge(
    _ extents: [NBDConnection.Extent]?, to question: Range<UInt64>
  ) throws(SourceError) -> Answer {
    guard let extents else { return Answer(range: question, data: [question]) }
    var data: [Range<UInt64>] = []
    var end = question.lowerBound
    for extent in extents where end < question.upperBound {
      guard extent.byteCount > 0 else { throw refusal(question) }
      let next = end + min(extent.byteCount, question.upperBound - end)
      if !extent.isZero {
        if let last = data.last, last.upperBound == end {
          data[data.count - 1] = last.lowerBound..<next
        } else {
          data.append(end..<next)
        }
      }
      end = next
    }
    guard end > question.lowerBound else { throw refusal(question) }
    return Answer(range: question.lowerBound..<end, data: data)
  }

  private static func refusal(_ question: Range<UInt64>) -> SourceError {
    SourceError(question, .unreadable(.senseless("the server's answer about holes")))
  }
}
