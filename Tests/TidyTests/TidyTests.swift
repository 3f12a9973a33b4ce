import Platform
import Testing

/// The source tree's own rules: who may import whom, where unsafe code may live, and how long
/// things may be.
struct TidyTests {
  /// What each target may import, lowest layer first; anything else breaks the layering.
  static let layers: [(target: String, mayImport: Set<String>)] = [
    ("CLinux", []), ("CNBD", []), ("CArchive", []), ("CZstd", []), ("CCrypto", []), ("CXXHash", []),
    ("CDeflate", []),
    ("Bytes", []),
    ("Platform", ["Bytes", "CLinux", "Glibc"]),
    ("Codecs", ["Bytes", "CZstd", "CCrypto", "CXXHash", "CDeflate"]),
    ("Blocks", ["Bytes", "Platform", "Codecs"]),
    ("Chunking", ["Bytes", "Codecs", "Blocks"]),
    ("Streams", ["Bytes", "Platform", "Codecs", "Blocks"]),
    ("Archives", ["Bytes", "Codecs", "Blocks", "CArchive"]),
    ("Appliances", ["Bytes", "Codecs", "Archives"]),
    ("DiskImages", ["Bytes", "Platform", "Codecs", "Blocks"]),
    ("GuestLayouts", ["Bytes", "Blocks", "Codecs"]),
    ("ObjectStores", ["Bytes", "Platform"]),
    ("NetworkDisks", ["Bytes", "Platform", "Blocks", "CNBD"]),
    (
      "Reading",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Streams", "Archives", "Appliances", "DiskImages",
        "GuestLayouts", "NetworkDisks",
      ]
    ),
    ("Auditing", ["Bytes", "Platform", "Blocks", "GuestLayouts"]),
    (
      "Writing",
      ["Bytes", "Platform", "Codecs", "Blocks", "Archives", "DiskImages", "GuestLayouts"]
    ),
    (
      "Repositories",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "ObjectStores",
        "FoundationEssentials",
      ]
    ),
    (
      "ToolSupport",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "DiskImages",
        "GuestLayouts", "Auditing", "Reading", "Writing", "Repositories", "ArgumentParser",
        "FoundationEssentials", "Glibc",
      ]
    ),
    (
      "vread",
      below7.union([
        "Streams", "GuestLayouts", "Auditing", "Reading", "Repositories", "FoundationEssentials",
      ])
    ),
    ("vchunk", below7.union(["Chunking", "Reading", "Repositories"])),
    ("vdedup", below7.union(["Codecs", "Reading", "Repositories"])),
    (
      "vstore",
      below7.union([
        "Codecs", "Chunking", "Streams", "GuestLayouts", "Auditing", "Reading", "Repositories",
      ])
    ),
    (
      "vrestore",
      below7.union(["Codecs", "Streams", "GuestLayouts", "Reading", "Writing", "Repositories"])
    ),
    (
      "vhd",
      below7.union([
        "Codecs", "Streams", "DiskImages", "GuestLayouts", "Reading", "Writing",
        "FoundationEssentials",
      ])
    ),
  ]
  /// What every tool may import.
  static let below7: Set<String> = ["Bytes", "Platform", "Blocks", "ToolSupport", "ArgumentParser"]
  static let mayBeUnsafe: Set<String> = [
    "Bytes", "Platform", "Codecs", "Archives", "NetworkDisks",
  ]
  static let tools = ["vread", "vchunk", "vdedup", "vstore", "vrestore", "vhd"]
  static let functionLimit = 70
  static let fileLimit = 400

  @Test func `every target has its place in the layers`() throws {
    let targets = try Files.names(in: "\(Tree.root)/Sources")
    #expect(targets == Self.layers.map(\.target).sorted())
  }

  @Test(arguments: layers.map(\.target))
  func `a target imports only what lies below it`(target: String) throws {
    let allowed = try #require(Self.layers.first { $0.target == target }).mayImport
    for file in try Tree.swiftFiles("Sources/\(target)") {
      for name in file.imports {
        #expect(allowed.contains(name), "\(file.name) imports \(name)")
      }
    }
  }

  @Test(arguments: layers.map(\.target).filter { !mayBeUnsafe.contains($0) })
  func `unsafe code stays in its few modules`(target: String) throws {
    for file in try Tree.swiftFiles("Sources/\(target)") {
      for (number, line) in file.code where Tree.words(line).contains("unsafe") {
        Issue.record("\(file.name):\(number + 1): \(line)")
      }
    }
  }

  @Test(arguments: layers.map(\.target))
  func `files and functions are short`(target: String) throws {
    for file in try Tree.swiftFiles("Sources/\(target)") {
      #expect(file.lines.count <= Self.fileLimit, "\(file.name): \(file.lines.count) lines")
      for function in file.functions where function.count > Self.functionLimit {
        Issue.record("\(file.name):\(function.line): a function of \(function.count) lines")
      }
    }
  }

  @Test(arguments: ["Sources", "Tests"])
  func `nothing is left to do`(folder: String) throws {
    let marks: Set<String> = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    for file in try Tree.swiftFiles(folder) {
      for (number, line) in file.lines.enumerated() where !marks.isDisjoint(with: Tree.words(line))
      {
        Issue.record("\(file.name):\(number + 1): \(line)")
      }
    }
  }

  @Test(arguments: tools)
  func `every tool has a manual page`(tool: String) throws {
    #expect(try Files.status("\(Tree.root)/man/\(tool).1") != nil)
  }

  /// Foundation proper takes 3 ms at each start and 40 MB on the disk.
  @Test func `no file imports Foundation`() throws {
    for file in try Tree.swiftFiles("Sources") {
      #expect(!file.imports.contains("Foundation"), "\(file.name)")
    }
  }
}
