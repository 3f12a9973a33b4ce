import Platform
import TestSupport
import Testing

/// A folder that is written to under others' names.
struct TargetFolderTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func `nothing is opened beyond a link or outside`() throws {
    let scratch = try Scratch()
    try Files.makeDirectory(scratch["in"])
    try Files.makeDirectory(scratch["out"])
    let folder = try TargetFolder(opening: scratch["in"])
    let link = try folder.beginLink(to: bytes("../out"))
    try link.commit(as: bytes("link"), replacing: false)
    for name in ["link", "..", "../out", "/tmp", "link/x", ""] {
      #expect(throws: SystemError.self, "\(name)") { _ = try folder.folder(bytes(name)) }
    }
    #expect(throws: SystemError.self) { try folder.makeFolder(bytes("link")) }
    #expect(throws: SystemError.self) { try folder.makeFolder(bytes("a\0b")) }
    #expect(try folder.status(bytes("link")) != nil)
    #expect(try Files.names(in: scratch["out"]) == [])
  }

  @Test func `a file has its name when it is whole, and leaves nothing else`() throws {
    let scratch = try Scratch()
    let folder = try TargetFolder(opening: scratch.path)
    do {
      let given = try folder.beginFile()
      try given.file?.write("half")
    }
    #expect(try Files.names(in: scratch.path) == [])
    for (text, replacing) in [("one", false), ("two", true)] {
      let entry = try folder.beginFile()
      try entry.file?.write(text)
      try entry.commit(as: bytes("file"), replacing: replacing)
    }
    #expect(try scratch.contents("file") == bytes("two"))
    do {
      let entry = try folder.beginFile()
      try entry.file?.write("three")
      #expect(throws: SystemError.self) { try entry.commit(as: bytes("file"), replacing: false) }
    }
    #expect(try scratch.contents("file") == bytes("two"))
    // Another name of what has the name already.
    let twin = try folder.beginHardLink(to: bytes("file"), in: folder)
    try twin.commit(as: bytes("file"), replacing: true)
    #expect(try Files.names(in: scratch.path) == ["file"])
  }

  @Test func `a link is replaced, never written through`() throws {
    let scratch = try Scratch()
    try Files.makeDirectory(scratch["in"])
    try scratch.file("outside", bytes("old"))
    let folder = try TargetFolder(opening: scratch["in"])
    try folder.beginLink(to: bytes("../outside")).commit(as: bytes("name"), replacing: false)
    let entry = try folder.beginFile()
    try entry.file?.write("new")
    try entry.commit(as: bytes("name"), replacing: true)
    #expect(try scratch.contents("outside") == bytes("old"))
    #expect(try scratch.contents("in/name") == bytes("new"))
  }
}
