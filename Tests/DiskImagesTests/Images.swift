import Blocks
import Bytes
import TestSupport

@testable import DiskImages

/// VHDs in memory, as the tool writes them, for tests to damage.
enum Images {
  static let identifier = (0..<16).map { UInt8($0) }
  static let created: Int64 = 1_700_000_000
  static let now: Int64 = 1_800_000_000

  /// Bytes that look random and are the same in every run.
  static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var noise = Noise(seed)
    return noise.bytes(count)
  }

  static func footer(_ kind: VHDFooter.Kind, _ size: UInt64) -> VHDFooter {
    VHDFooter(kind, size: size, created: created, identifier: identifier)
  }

  static func fixed(_ content: [UInt8]) -> [UInt8] {
    content + footer(.fixed, UInt64(content.count)).bytes
  }

  /// A dynamic disk with blocks of `block` bytes, of which those that are all zero are absent.
  static func dynamic(_ content: [UInt8], block: Int = 4096) throws -> [UInt8] {
    var layout = try VHDDynamicLayout(
      size: UInt64(content.count), blockByteCount: UInt32(block))
    var file = [UInt8](repeating: 0, count: Int(layout.end))
    for index in 0..<(content.count + block - 1) / block {
      let part = content[index * block..<min((index + 1) * block, content.count)]
      guard part.contains(where: { $0 != 0 }) else { continue }
      let start = Int(try layout.allocate(index))
      file += [UInt8](repeating: 0, count: start - file.count)
      file += layout.bitmap + part + [UInt8](repeating: 0, count: block - part.count)
    }
    file += [UInt8](repeating: 0, count: Int(layout.end) - file.count)
    let footer = footer(.dynamic, UInt64(content.count))
    file.replaceSubrange(0..<layout.start(footer).count, with: layout.start(footer))
    return file + footer.bytes
  }

  /// A small disk: one block of noise, one of zeros, one of noise that ends inside it.
  static func content(seed: UInt64 = 1) -> [UInt8] {
    noise(4096, seed: seed) + [UInt8](repeating: 0, count: 4096) + noise(1536, seed: seed + 1)
  }

  /// All bytes of the disk in `file`.
  static func read(_ file: [UInt8]) throws -> [UInt8] {
    let image = try VHDImage(opening: MemorySource(file))
    return try image.bytes(Int(image.size), at: 0) ?? []
  }

  /// The findings that a check counts.
  static func problems(_ file: [UInt8]) throws -> [Finding] {
    try VHDCheck.findings(in: MemorySource(file), now: now).filter { $0.severity != .note }
  }
}
