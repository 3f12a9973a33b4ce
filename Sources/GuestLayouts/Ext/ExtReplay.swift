internal import Blocks
internal import Bytes

/// Which copies in the journal are written to their places when it is replayed.
///
/// The last one of each block counts, unless a later transaction, or the same, gave the block up.
/// Linux, fs/jbd2/recovery.c and fs/jbd2/revoke.c.
struct ExtReplay: Sendable {
  /// The most copies that are remembered: 24 MiB of them.
  static let copyLimit = 1 << 20

  private static let doubt = GuestDoubt("its journal holds too many blocks")

  private let journal: ExtJournal
  /// Sorted by block, each block once.
  private let copies: [ExtJournalTag]

  /// - Throws: `GuestDoubt` when there are too many, `FormatError` for damage.
  init(of journal: ExtJournal) throws {
    self.journal = journal
    var all: [ExtJournalTag] = []
    var revoked: [UInt64: UInt32] = [:]
    let finished = try journal.forEachFinished {
      guard all.count < ExtReplay.copyLimit else { throw ExtReplay.doubt }
      all.append($0)
    } revoke: {
      guard revoked.count < ExtReplay.copyLimit else { throw ExtReplay.doubt }
      revoked[$0] = $1
    }
    // Transactions are counted from the first one: their numbers begin again at zero.
    func age(_ sequence: UInt32) -> UInt32 { sequence &- finished.first }
    all.sort { ($0.block, age($0.sequence)) < ($1.block, age($1.sequence)) }
    var last: [ExtJournalTag] = []
    for tag in all {
      if let sequence = revoked[tag.block], age(tag.sequence) <= age(sequence) { continue }
      if last.last?.block == tag.block { last.removeLast() }
      last.append(tag)
    }
    copies = last
  }

  /// The first copy of a block of that number or a higher one; nil when there is none.
  fileprivate func copy(atOrAfter block: UInt64) -> ExtJournalTag? {
    var low = 0
    var high = copies.count
    while low < high {
      let middle = (low + high) / 2
      if copies[middle].block < block { low = middle + 1 } else { high = middle }
    }
    return low < copies.count ? copies[low] : nil
  }

  /// The content that a block gets.
  fileprivate func content(of copy: ExtJournalTag) throws -> [UInt8] {
    var bytes = try journal.block(UInt64(copy.place))
    try journal.check(bytes, of: copy)
    if copy.isEscaped { bytes.replaceSubrange(0..<4, with: ExtJournalHeader.magicBytes) }
    return bytes
  }
}

/// A file system as it is once its journal has been replayed; nothing is written.
final class ExtReplayedSource: BlockSource {
  private let base: any BlockSource
  private let replay: ExtReplay
  private let blockSize: UInt64
  var size: UInt64 { base.size }
  var sectorSize: UInt32 { base.sectorSize }

  init(_ base: any BlockSource, _ replay: ExtReplay, blockSize: UInt64) {
    self.base = base
    self.replay = replay
    self.blockSize = blockSize
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let block = position / blockSize
      let left = UInt64(bytes.count - done)
      guard let copy = replay.copy(atOrAfter: block),
        copy.block < (position + left + blockSize - 1) / blockSize
      else {
        var rest = bytes._mutatingExtracting(done..<bytes.count)
        return try base.read(into: &rest, at: position)
      }
      if copy.block > block {
        let count = Int(copy.block * blockSize - position)
        var part = bytes._mutatingExtracting(done..<done + count)
        try base.read(into: &part, at: position)
        done += count
        continue
      }
      let content = try replay.content(of: copy)
      let inside = Int(position - block * blockSize)
      let count = min(content.count - inside, bytes.count - done)
      var part = bytes._mutatingExtracting(done..<done + count)
      part.copy(content.span.extracting(inside..<inside + count), to: 0)
      done += count
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < size ? offset..<size : nil
  }
}

extension ExtVolume {
  /// The file system as it is once its journal has been replayed.
  ///
  /// - Parameter journal: Its journal.
  /// - Throws: `GuestDoubt` when it cannot be told, `FormatError` for damage.
  func replayed(_ journal: ExtJournal) throws -> ExtVolume {
    // Fast commits say in words of their own what is to be done.
    guard !superblock.features.compatible.contains(.fastCommit),
      !journal.header.features.contains(.fastCommits)
    else { throw GuestDoubt("its journal, with fast commits, has not been replayed") }
    let replay = try ExtReplay(of: journal)
    return try ExtVolume(
      ExtReplayedSource(source, replay, blockSize: geometry.blockSize), superblock)
  }
}
