internal import Bytes

/// A copy of a block in the journal.
struct ExtJournalTag {
  /// Which block of the file system.
  var block: UInt64
  /// In which block of the journal.
  var place: UInt32
  /// Whether its first four bytes were the journal's magic, and are zero in the copy.
  var isEscaped: Bool
  /// The transaction.
  var sequence: UInt32
  /// Of the transaction's number and the copy; the lower half only before version 3.
  var checksum: UInt32
}

extension ExtJournal {
  /// Calls `body` with each tag of each descriptor block anywhere in the log, current or not.
  ///
  /// What is left of old transactions is among them: a tag's block may hold something else by now.
  func forEachTag(_ body: (ExtJournalTag) throws -> Void) throws {
    let blockSize = volume.geometry.blockSize
    let step = ExtVolume.pieceByteCount / blockSize
    for run in runs {
      guard let start = run.start else { continue }
      var position = run.blocks.lowerBound
      while position < run.blocks.upperBound {
        let count = min(step, run.blocks.upperBound - position)
        let place = (start + position - run.blocks.lowerBound) * blockSize
        let piece = try volume.bytes(Int(count * blockSize), at: place)
        for index in 0..<count {
          let number = position + index
          guard number >= UInt64(header.first), number < UInt64(header.blockCount) else { continue }
          let first = Int(index * blockSize)
          let bytes = piece.span.extracting(first..<first + Int(blockSize))
          guard let kind = try kind(of: bytes), kind.type == 1 else { continue }
          try forEachTag(in: bytes, of: number, kind.sequence, body)
        }
        position += count
      }
    }
  }

  /// What a block of the journal's own is: 1 a descriptor, 2 the end of a transaction, 5 a list of
  /// blocks that later transactions gave up; nil for copies.
  private func kind(
    of bytes: Span<UInt8>
  ) throws(FormatError) -> (type: UInt32, sequence: UInt32)? {
    var cursor = ByteCursor(bytes, of: "ext journal", .big)
    guard try cursor.u32() == ExtJournalHeader.magic else { return nil }
    return (try cursor.u32(), try cursor.u32())
  }

  /// Compares the checksum in a descriptor's last four bytes.
  private func check(_ bytes: Span<UInt8>, _ place: UInt64) throws(FormatError) {
    guard header.hasChecksums else { return }
    let end = bytes.count - 4
    var cursor = ByteCursor(bytes, of: "ext journal", at: place, .big)
    try cursor.skip(end)
    let stored = try cursor.u32()
    let computed = ExtChecksum.crc32c(
      ExtChecksum.crc32c(header.seed, bytes.extracting(0..<end)), UInt32(0))
    guard stored == computed else {
      throw cursor.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
  }

  /// A descriptor block: a header of 12 bytes (magic, type 1, transaction), then tags.
  ///
  /// A tag has 16 bytes with checksums of version 3: block, flags, upper half of the block,
  /// checksum. Else: block, checksum (2), flags (2), with 64 bits the upper half; and two bytes
  /// more with version 2. A UUID of 16 bytes follows unless flag 2 is set; flag 8 ends the list.
  /// The blocks follow in the order of the tags, and the log goes on from its end at its start.
  private func forEachTag(
    in bytes: Span<UInt8>, of number: UInt64, _ sequence: UInt32,
    _ body: (ExtJournalTag) throws -> Void
  ) throws {
    var cursor = ByteCursor(bytes, of: "ext journal", .big)
    try cursor.skip(12)
    let isThird = header.features.contains(.checksums3)
    let isSecond = !isThird && header.features.contains(.checksums2)
    let isWide = header.features.contains(.wide)
    let tail = header.hasChecksums ? 4 : 0
    let size = isThird ? 16 : (isWide ? 12 : 8) + (isSecond ? 2 : 0)
    var place = number
    while cursor.remaining - tail >= size {
      let low = UInt64(try cursor.u32())
      let flags: UInt32
      let checksum: UInt32
      var high: UInt64 = 0
      if isThird {
        flags = try cursor.u32()
        high = UInt64(try cursor.u32())
        checksum = try cursor.u32()
      } else {
        checksum = UInt32(try cursor.u16())
        flags = UInt32(try cursor.u16())
        if isWide { high = UInt64(try cursor.u32()) }
        if isSecond { try cursor.skip(2) }
      }
      place = next(place)
      try body(
        ExtJournalTag(
          block: isWide ? high << 32 | low : low, place: UInt32(place),
          isEscaped: flags & 1 != 0, sequence: sequence, checksum: checksum))
      if flags & 8 != 0 { return }
      if flags & 2 == 0 {
        guard cursor.remaining >= 16 else { return }
        try cursor.skip(16)
      }
    }
  }

  /// The block of the log after that one.
  private func next(_ place: UInt64) -> UInt64 {
    place + 1 >= UInt64(header.blockCount) ? UInt64(header.first) : place + 1
  }

  /// Compares a copy with the checksum in its tag.
  func check(_ copy: [UInt8], of tag: ExtJournalTag) throws(FormatError) {
    guard header.hasChecksums else { return }
    let sum = ExtChecksum.crc32c(
      ExtChecksum.crc32c(header.seed, tag.sequence.byteSwapped), copy.span)
    let computed = header.features.contains(.checksums3) ? sum : sum & 0xFFFF
    guard computed == tag.checksum else {
      throw FormatError(
        "copy of block \(tag.block) in the ext journal", at: 0,
        .badChecksum(stored: UInt64(tag.checksum), computed: UInt64(computed)))
    }
  }

  /// Goes through the transactions that are whole, from the first that was not written to its
  /// places.
  ///
  /// They follow each other from the log's start; after them comes whatever was left of older ones,
  /// or one that was not finished.
  ///
  /// - Parameters:
  ///   - take: Gets each tag.
  ///   - revoke: Gets each block of which this and earlier transactions' copies do not count.
  func forEachFinished(
    _ take: (ExtJournalTag) throws -> Void,
    revoke: (_ block: UInt64, _ sequence: UInt32) throws -> Void
  ) throws -> ExtTransactions {
    var finished = ExtTransactions(first: header.sequence, count: 0)
    guard header.start != 0 else { return finished }
    guard header.start >= header.first, header.start < header.blockCount else {
      throw FormatError(
        "ext journal", at: 0, .impossible("its log starts in block \(header.start)"))
    }
    var pending = ExtPendingTransaction()
    var place = UInt64(header.start)
    var steps: UInt32 = 0
    while steps < header.blockCount {
      steps += 1
      let bytes = try block(place)
      let expected = header.sequence &+ finished.count
      guard let kind = try kind(of: bytes.span), kind.sequence == expected else { break }
      switch kind.type {
      case 1:
        pending.descriptors.append(place)
        try forEachTag(in: bytes.span, of: place, kind.sequence) {
          guard pending.tags.count < ExtReplay.copyLimit else {
            throw GuestDoubt("a transaction in its journal is too large")
          }
          pending.tags.append($0)
          place = UInt64($0.place)
          steps += 1
        }
      case 5: pending.revocations.append(place)
      case 2:
        for place in pending.descriptors {
          let descriptor = try block(place)
          try check(descriptor.span, 0)
        }
        for place in pending.revocations {
          let list = try block(place)
          try check(list.span, 0)
          try forEachRevoked(in: list) { try revoke($0, kind.sequence) }
        }
        for tag in pending.tags { try take(tag) }
        finished.count += 1
        pending = ExtPendingTransaction()
      default: return finished
      }
      place = next(place)
    }
    return finished
  }

  /// A list of blocks: behind the header of 12 bytes how many bytes are in use (4), then their
  /// numbers, of 8 bytes each with 64 bits, else 4.
  private func forEachRevoked(
    in bytes: [UInt8], _ body: (UInt64) throws -> Void
  ) throws {
    var cursor = ByteCursor(bytes.span, of: "ext journal", .big)
    try cursor.skip(12)
    let end = Int(try cursor.u32())
    guard end <= bytes.count else { throw cursor.refusal(.impossible("\(end) bytes are in use")) }
    let isWide = header.features.contains(.wide)
    while cursor.position + (isWide ? 8 : 4) <= end {
      try body(isWide ? try cursor.u64() : UInt64(try cursor.u32()))
    }
  }
}

/// What was read of a transaction of which the end was not seen yet.
private struct ExtPendingTransaction {
  var tags: [ExtJournalTag] = []
  /// Blocks of the journal.
  var descriptors: [UInt64] = []
  var revocations: [UInt64] = []
}

/// Transactions that follow each other; their numbers begin again at zero.
struct ExtTransactions {
  var first: UInt32
  var count: UInt32

  func contain(_ sequence: UInt32) -> Bool { sequence &- first < count }
}
