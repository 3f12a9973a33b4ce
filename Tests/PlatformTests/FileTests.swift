import Bytes
import Platform
import TestSupport
import Testing

/// Files: whole or not there, never in place of another.
struct FileTests {
  @Test func `nothing is under the final name before the commit`() throws {
    let scratch = try Scratch()
    let file = try AtomicFile(scratch["a"], replacing: false)
    try file.file.write("content")
    #expect(try Files.status(scratch["a"]) == nil)
    try file.commit(replacing: false)
    #expect(try scratch.contents("a") == Array("content".utf8))
    #expect(try Files.names(in: scratch.path) == ["a"])
  }

  @Test func `what is not committed leaves nothing`() throws {
    let scratch = try Scratch()
    do {
      let file = try AtomicFile(scratch["a"], replacing: false)
      try file.file.write("content")
    }
    let other = try AtomicFile(scratch["b"], replacing: false)
    other.discard()
    #expect(try Files.names(in: scratch.path) == [])
  }

  @Test func `an existing file is replaced only when that was asked for`() throws {
    let scratch = try Scratch()
    try scratch.file("a", [1])
    let error = #expect(throws: SystemError.self) {
      _ = try AtomicFile(scratch["a"], replacing: false)
    }
    #expect(error?.exists == true)
    let file = try AtomicFile(scratch["a"], replacing: true)
    try file.file.write([2])
    #expect(try scratch.contents("a") == [1])
    try file.commit(replacing: true)
    #expect(try scratch.contents("a") == [2])
    // Somebody else was faster.
    let late = try AtomicFile(scratch["b"], replacing: false)
    try scratch.file("b", [3])
    #expect(throws: SystemError.self) { try late.commit(replacing: false) }
    late.discard()
    #expect(try scratch.contents("b") == [3])
    #expect(try Files.names(in: scratch.path) == ["a", "b"])
  }

  @Test func `a rename without replacing leaves the target alone`() throws {
    let scratch = try Scratch()
    try scratch.file("a", [1])
    try scratch.file("b", [2])
    let error = #expect(throws: SystemError.self) {
      try Files.renameNoReplace(scratch["a"], to: scratch["b"])
    }
    #expect(error?.exists == true)
    #expect(try scratch.contents("b") == [2])
    try Files.renameNoReplace(scratch["a"], to: scratch["c"])
    #expect(try scratch.contents("c") == [1])
    #expect(try Files.status(scratch["a"]) == nil)
    let missing = #expect(throws: SystemError.self) {
      try Files.renameNoReplace(scratch["a"], to: scratch["d"])
    }
    #expect(missing?.isMissing == true)
  }

  /// Extents as `nextData` tells them, joined.
  private func extents(_ file: FileDescriptor, _ size: UInt64) throws -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var position: UInt64 = 0
    while let data = try file.nextData(at: position, size: size) {
      #expect(data.lowerBound >= position && !data.isEmpty && data.upperBound <= size)
      if let last = result.last, last.upperBound == data.lowerBound {
        result[result.count - 1] = last.lowerBound..<data.upperBound
      } else {
        result.append(data)
      }
      position = data.upperBound
    }
    return result
  }

  @Test func `the data of a sparse file is found, its holes are passed over`() throws {
    let scratch = try Scratch()
    let file = try FileDescriptor(scratch["sparse"], .create)
    let size: UInt64 = 1 << 40
    try file.truncate(to: size)
    #expect(try extents(file, size) == [])
    let places: [UInt64] = [0, 1 << 20, 1 << 33, size - 4096]
    let block = [UInt8](repeating: 1, count: 4096)
    for place in places { try file.write(block.span, at: place) }
    let found = try extents(file, size)
    for place in places {
      #expect(found.contains { $0.contains(place) && $0.contains(place + 4095) }, "\(place)")
    }
    #expect(found.reduce(0) { $0 + $1.count } < 1 << 21)
    #expect(try file.nextData(at: size, size: size) == nil)
    #expect(try file.nextData(at: 100, size: 50) == nil)
    // A size that is less than the file's bounds what is told.
    #expect(try file.nextData(at: 0, size: 100) == 0..<100)
    #expect(file.punchHole(0..<4096))
    #expect(try extents(file, size).first?.lowerBound != 0)
  }

  @Test func `a range is made to read as zero, and nothing beside it`() throws {
    let scratch = try Scratch()
    let dirty = try scratch.file("dirty", [UInt8](repeating: 7, count: 3 << 20))
    let update = try FileDescriptor(scratch["dirty"], .update)
    try BulkFile(update).zero(1..<(3 << 20) - 1)
    let content = try dirty.readAll(limit: .max) ?? []
    #expect(content.first == 7 && content.last == 7)
    #expect(content.dropFirst().dropLast().allSatisfy { $0 == 0 })
  }

  @Test func `bulk writes put every byte where it belongs, aligned or not`() throws {
    let scratch = try Scratch()
    let content = Noise.bytes(3 << 20, seed: 3)
    // As the kernel likes it; unaligned places; unaligned memory; too small to go past the cache.
    let pieces = [
      0..<1 << 20, 1 << 20..<(1 << 20) + 5000, (1 << 20) + 5000..<(2 << 20) + 1,
      (2 << 20) + 1..<(2 << 20) + 2, (2 << 20) + 2..<3 << 20,
    ]
    for isCached in [false, true] {
      let file = try scratch.file("bulk \(isCached)", [])
      let target = BulkFile(
        try FileDescriptor(scratch["bulk \(isCached)"], .update), isCached: isCached)
      let buffer = Buffer(count: content.count)
      buffer.copy(content.span, to: 0)
      for piece in pieces.reversed() {
        try target.write(buffer.span(piece), at: UInt64(piece.lowerBound))
      }
      #expect(try file.readAll(limit: .max) == content)
    }
  }

  @Test func `appended pieces come out as they went in`() throws {
    let scratch = try Scratch()
    let content = Noise.bytes(9_000_001, seed: 4)
    let file = try scratch.file("appended", [])
    let target = BulkAppender(try FileDescriptor(scratch["appended"], .update))
    var position = 0
    for count in [1, 4095, 4 << 20, 100_000, 0, 4_600_000] {
      let end = min(position + count, content.count)
      try target.append(content.span.extracting(position..<end))
      position = end
    }
    try target.append(content.span.extracting(position..<content.count))
    try target.finish()
    #expect(try file.readAll(limit: .max) == content)
  }

  @Test func `reads end where the file ends, and limits hold`() throws {
    let scratch = try Scratch()
    let file = try scratch.file("a", Array(0..<100))
    #expect(try file.read(50, at: 90) == Array(90..<100))
    #expect(try file.read(50, at: 100) == [])
    #expect(try file.read(50, at: 1 << 60) == [])
    #expect(try file.readAll(limit: 99) == nil)
    #expect(try Files.contents(scratch["a"], limit: 100)?.count == 100)
    #expect(try Files.contents(scratch["a"], limit: 99) == nil)
    #expect(throws: SystemError.self) { try file.truncate(to: .max) }
  }

  @Test func `two pieces are written as one`() throws {
    let scratch = try Scratch()
    let pipe = try Pipe()
    let content = Noise.bytes(3_000_000, seed: 1)
    let workers = Workers<Pipe>(count: 1, window: 1) { pipe in
      try pipe.output.write(
        content.span.extracting(0..<1_700_001), content.span.extracting(1_700_001..<3_000_000))
      let none: [UInt8] = []
      let one: [UInt8] = [1]
      try pipe.output.write(none.span, none.span)
      try pipe.output.write(one.span, none.span)
      try pipe.output.write(none.span, one.span)
      try pipe.output.close()
    }
    workers.give(pipe)
    #expect(try pipe.input.readAll(limit: .max) == content + [1, 1])
    _ = try workers.take()
    workers.close()
    _ = scratch
  }

  @Test func `a lock is held by one`() throws {
    let scratch = try Scratch()
    try scratch.file("lock", [])
    let first = try FileDescriptor(scratch["lock"], .update)
    let second = try FileDescriptor(scratch["lock"], .update)
    #expect(try first.lock())
    #expect(try !second.lock())
    try first.close()
    #expect(try second.lock())
  }

  @Test func `links at the end are not followed where that is asked for`() throws {
    let scratch = try Scratch()
    try scratch.file("a", [1])
    try Links.make(scratch["link"], to: scratch["a"])
    #expect(try FileDescriptor(scratch["link"], .read).readAll(limit: 10) == [1])
    #expect(throws: SystemError.self) {
      _ = try FileDescriptor(scratch["link"], .readNoFollow)
    }
  }

  @Test func `parts of paths`() {
    for (path, folder, name) in [
      ("a", ".", "a"), ("/a", "/", "a"), ("a/b", "a", "b"), ("/a/b/c", "/a/b", "c"),
      ("a/", "a", ""),
    ] {
      #expect(Files.folder(of: path) == folder)
      #expect(Files.name(of: path) == name)
    }
  }

  @Test func `a file is mapped as it is, an empty one too`() throws {
    let scratch = try Scratch()
    let content = Noise.bytes(10_000, seed: 1)
    let map = try MemoryMap(try scratch.file("a", content))
    let bytes = [UInt8](map.span)
    #expect(bytes == content)
    let none = try MemoryMap(try scratch.file("b", []))
    #expect(none.count == 0)
    let nothing = [UInt8](none.span)
    #expect(nothing == [])
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
      (4_102_444_799, "2099-12-31T23:59:59Z"),
    ] as [(Int64, String)])
  func `times are written as RFC 3339 says`(seconds: Int64, text: String) {
    #expect(Clock.text(seconds) == text)
  }
}
