internal import Bytes
internal import Codecs
internal import Platform

/// Reads packs whole and proves every byte of them; one object a thread.
final class PackProof: @unchecked Sendable {
  private let fileHash = SHA256()
  private let hash = SHA256()
  private let decompressor = ZstdDecompressor()
  private let window = Buffer(count: 8 << 20)
  private let plain = Buffer(count: Int(ChunkEntry.plainLimit))
  /// Where in the pack the frame lies that `plain` holds.
  private var decoded: UInt32?

  /// Checks the file's digest and each chunk's checksum, coding and id.
  ///
  /// - Parameter entries: The pack's directory, in the order of offsets.
  /// - Returns: What is wrong, in words.
  func prove(
    _ file: FileDescriptor, _ id: Digest, _ size: UInt64, _ entries: [ChunkEntry]
  ) throws -> [String] {
    var problems: [String] = []
    decoded = nil
    let entries = entries.sorted { $0.offset < $1.offset }
    var next = 0
    var start: UInt64 = 0
    var kept = 0
    let buffer = window
    while start + UInt64(kept) < size {
      let room = min(UInt64(buffer.count - kept), size - start - UInt64(kept))
      var target = buffer.mutableSpan(kept..<kept + Int(room))
      let got = try file.read(into: &target, at: start + UInt64(kept))
      guard got == Int(room) else { return problems + ["truncated while it was read"] }
      // What comes next is read while this is proven.
      let ahead = start + UInt64(kept + got)
      file.willNeed(ahead..<min(ahead + UInt64(buffer.count), size))
      fileHash.update(buffer.span(kept..<kept + got))
      let end = start + UInt64(kept + got)
      while next < entries.count,
        UInt64(entries[next].offset) + UInt64(entries[next].storedCount) <= end
      {
        let entry = entries[next]
        next += 1
        guard UInt64(entry.offset) >= start else {
          problems.append("chunk \(entry.id) at byte \(entry.offset): not in order")
          continue
        }
        let first = Int(UInt64(entry.offset) - start)
        if let problem = prove(entry, buffer.span(first..<first + Int(entry.storedCount))) {
          problems.append("chunk \(entry.id) at byte \(entry.offset): \(problem)")
        }
      }
      // A chunk that the window cuts is read on with the next one.
      let from = next < entries.count ? min(max(UInt64(entries[next].offset), start), end) : end
      kept = Int(end - from)
      let rest = [UInt8](buffer.span(Int(from - start)..<Int(end - start)))
      buffer.copy(rest.span, to: 0)
      start = from
    }
    for entry in entries[next...] {
      problems.append("chunk \(entry.id) at byte \(entry.offset): beyond the end")
    }
    if fileHash.finish() != id { problems.append("its content does not fit its name") }
    return problems
  }

  private func prove(_ entry: ChunkEntry, _ stored: Span<UInt8>) -> String? {
    let buffer = plain
    let bytes = Int(entry.offsetInFrame)..<Int(entry.offsetInFrame + entry.plainCount)
    if decoded != entry.offset {
      decoded = nil
      if let problem = decode(entry, stored) { return problem }
      decoded = entry.offset
    }
    return hash.digest(of: buffer.span(bytes)) == entry.id
      ? nil : "its content does not fit its id"
  }

  /// Brings a frame's plain bytes into `plain`.
  private func decode(_ entry: ChunkEntry, _ stored: Span<UInt8>) -> String? {
    guard Checksum.of(stored) == entry.check else { return "its checksum is wrong" }
    let buffer = plain
    var target = buffer.mutableSpan(0..<Int(entry.framePlainCount))
    switch entry.codec {
    case .plain: target.copy(stored, to: 0)
    case .zstd:
      do { try decompressor.decompress(stored, into: &target) } catch { return "\(error)" }
    }
    return nil
  }
}

/// The digest of a whole file.
enum FileHash {
  static func digest(_ file: FileDescriptor) throws -> Digest {
    let hash = SHA256()
    let buffer = Buffer(count: 1 << 20)
    var offset: UInt64 = 0
    while true {
      var target = buffer.mutableSpan(0..<buffer.count)
      let got = try file.read(into: &target, at: offset)
      if got == 0 { return hash.finish() }
      hash.update(buffer.span(0..<got))
      offset += UInt64(got)
    }
  }
}
