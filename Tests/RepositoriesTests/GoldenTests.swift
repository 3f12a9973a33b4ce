import Blocks
import Bytes
import Codecs
import Platform
import TestSupport
import Testing

@testable import Repositories

/// Repositories of earlier releases are read for ever.
struct GoldenTests {
  @Test(arguments: ["repository-1"])
  func `a repository of an earlier release is whole and restored`(name: String) throws {
    let sums = String(
      decoding: try Files.contents("\(Golden.folder)/\(name).sums", limit: 65536) ?? [],
      as: UTF8.self)
    let repository = try Repository("\(Golden.folder)/\(name)")
    let checker = Checker(repository, .data, progress: { _ in })
    try checker.run()
    #expect(checker.findings == [])
    for line in sums.split(separator: "\n") {
      let parts = line.split { $0 == " " || $0 == ":" }.map(String.init)
      try #require(parts.count == 3)
      let stored = try repository.resolve(parts[0])
      let number = try #require(stored.point.volumes.firstIndex { $0.name == parts[1] })
      let feed = try RestoreFeed(repository, stored, selections: [.init(volume: number)])
      let got = try Delivery(feed)
      #expect("\(SHA256.digest(of: got.content[0]))" == parts[2], "\(line)")
    }
  }
}
