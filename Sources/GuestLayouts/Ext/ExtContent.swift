internal import Blocks
internal import Bytes

/// The content of a file, or of a directory, that lies in blocks.
final class ExtContent: BlockSource {
  /// How many pieces of a block map a search for data goes through before it says that there may be
  /// some: a hostile map has very many without any.
  private static let searchLimit = 4096

  private let map: ExtBlockMap
  let size: UInt64
  var sectorSize: UInt32 { 512 }

  init(_ map: ExtBlockMap, size: UInt64) {
    self.map = map
    self.size = size
  }

  private var blockSize: UInt64 { map.volume.geometry.blockSize }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    guard offset <= size, UInt64(bytes.count) <= size - offset else {
      throw SourceError(offset..<max(offset, size), .ended)
    }
    while done < bytes.count {
      for run in try map.runs(at: (offset + UInt64(done)) / blockSize) where done < bytes.count {
        let position = offset + UInt64(done)
        let inside = position - run.blocks.lowerBound * blockSize
        // A run of the last hole may be longer than can be counted in bytes.
        let blocks = min(run.blocks.upperBound, ExtBlockMap.blockLimit) - run.blocks.lowerBound
        let count = Int(min(blocks * blockSize - inside, UInt64(bytes.count - done)))
        var part = bytes._mutatingExtracting(done..<done + count)
        if let start = run.content {
          try map.volume.source.read(into: &part, at: start * blockSize + inside)
        } else {
          part.update(repeating: 0)
        }
        done += count
      }
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var position = offset
    for _ in 0..<ExtContent.searchLimit {
      guard position < size else { return nil }
      for run in try map.runs(at: position / blockSize) {
        guard run.blocks.lowerBound <= (size - 1) / blockSize else { return nil }
        let end = min(run.blocks.upperBound, ExtBlockMap.blockLimit) * blockSize
        if run.content != nil {
          return max(position, run.blocks.lowerBound * blockSize)..<min(end, size)
        }
        position = max(end, position)
      }
    }
    return position < size ? position..<size : nil
  }
}

extension ExtVolume {
  /// The content of an inode, wherever it is.
  ///
  /// - Throws: `FormatError` when it cannot be what the inode says.
  func content(of inode: ExtInode) throws -> any BlockSource {
    if inode.flags.contains(.inlineData) {
      return MemorySource(try inlineContent(of: inode))
    }
    // Thereby no place in bytes overflows.
    guard inode.size <= ExtBlockMap.blockLimit * geometry.blockSize else {
      throw inode.refusal(.impossible("\(inode.size) bytes"))
    }
    return ExtContent(ExtBlockMap(volume: self, inode: inode), size: inode.size)
  }

  /// Content within the inode: 60 bytes in place of the block map, the rest as the value of the
  /// extended attribute `system.data`.
  func inlineContent(of inode: ExtInode) throws -> [UInt8] {
    let start = ExtInode.mapPlace
    var content = Array(inode.bytes[start..<start + ExtInode.mapByteCount])
    for attribute in try attributes(inside: inode) where attribute.isInlineData {
      content += try value(of: attribute, inode)
    }
    guard inode.size <= UInt64(content.count) else {
      throw inode.refusal(.impossible("\(inode.size) bytes within the inode"))
    }
    return Array(content.prefix(Int(inode.size)))
  }
}
