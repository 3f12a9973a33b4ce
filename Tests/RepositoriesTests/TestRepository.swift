import Blocks
import Bytes
import Chunking
import Codecs
import Platform
import TestSupport

@testable import ObjectStores
@testable import Repositories

/// A repository in a scratch folder.
final class TestRepository: Sendable {
  let scratch: Scratch
  let path: String

  init(
    _ parameters: ChunkingParameters = .standard, level: Int? = 1
  ) throws {
    scratch = try Scratch()
    path = scratch["repo"]
    try Repository.create(path, RepositoryConfig(chunking: parameters, level: level))
  }

  /// Opens a repository that is there.
  init(copyOf other: TestRepository) throws {
    scratch = try Scratch()
    path = scratch["repo"]
    try Scratch.copy(other.path, to: path)
  }

  func open() throws -> Repository { try Repository(path) }

  @discardableResult
  func put(
    _ feed: any VolumeFeed, name: String = "web", warnings: Locked<[String]>? = nil,
    _ change: (inout PutOptions) -> Void = { _ in }
  ) throws -> PutResult {
    var options = PutOptions(name: name)
    change(&options)
    return try PointWriter.put(
      feed, into: try open(), options, progress: { _ in },
      warn: { text in warnings?.with { $0.append(text) } })
  }

  @discardableResult
  func put(_ content: [UInt8], name: String = "web") throws -> PutResult {
    try put(MemoryFeed.disk(content), name: name)
  }

  /// All of a point.
  func restore(_ text: String = "web", keepsContent: Bool = true) throws -> Delivery {
    let repository = try open()
    let feed = try RestoreFeed(repository, try repository.resolve(text))
    return try Delivery(feed, keepsContent: keepsContent)
  }

  /// The content of a point's only volume.
  func content(_ text: String = "web") throws -> [UInt8] {
    try restore(text).content.first ?? []
  }

  /// What a check that reads everything finds.
  func findings() throws -> [CheckFinding] {
    let checker = Checker(try open(), .data, progress: { _ in })
    try checker.run()
    return checker.findings
  }

  /// Names of files in a folder of the repository, without the folder's.
  func files(_ folder: String) throws -> [String] {
    try Scratch.files(below: "\(path)/\(folder)")
  }

  func bytes(_ file: String) throws -> [UInt8] {
    try Files.contents("\(path)/\(file)", limit: .max) ?? []
  }

  func replace(_ file: String, _ bytes: [UInt8]) throws {
    try Files.remove("\(path)/\(file)")
    let new = try FileDescriptor("\(path)/\(file)", .create)
    try new.write(bytes)
    try new.close()
  }

  /// Flips all bits of one byte; negative places count from the end.
  func flip(_ file: String, _ place: Int) throws {
    var content = try bytes(file)
    content[place < 0 ? content.count + place : place] ^= 0xff
    try replace(file, content)
  }
}

/// Disks with some of everything: noise, text, zeros, and parts that repeat.
enum TestDisk {
  static func content(_ count: Int, seed: UInt64) -> [UInt8] {
    var noise = Noise(seed)
    let common = Noise.bytes(200_000, seed: 999)
    var content: [UInt8] = []
    content.reserveCapacity(count + 300_000)
    while content.count < count {
      switch noise.below(4) {
      case 0: content += [UInt8](repeating: 0, count: (1 + noise.below(60)) * 4096)
      case 1: content += noise.bytes((1 + noise.below(60)) * 4096)
      case 2: content += common
      default:
        let line = Array("line \(noise.below(1000)) of a log\n".utf8)
        for _ in 0..<(4096 + noise.below(2000)) { content += line }
      }
    }
    return Array(content.prefix(count))
  }
}

/// The error's words; empty when `body` throws none.
func complaint(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return "\(error)"
  }
}

/// Makes ids whose first words may be chosen.
func digest(_ first: UInt64, _ second: UInt64 = 0, _ last: UInt64 = 0) -> Digest {
  Digest(words: (first, second, 0, last))
}
