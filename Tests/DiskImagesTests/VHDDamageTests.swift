import Blocks
import Bytes
import TestSupport
import Testing

@testable import DiskImages

/// Damaged files: what is read is right or refused, and `check` finds what was changed.
struct VHDDamageTests {
  static let content = Images.content(seed: 21)

  static func files() throws -> [(name: String, bytes: [UInt8])] {
    [("fixed", Images.fixed(content)), ("dynamic", try Images.dynamic(content))]
  }

  /// Opens and reads a damaged file; the bytes, or nil when it is refused.
  private func reading(_ file: [UInt8]) throws -> [UInt8]? {
    do {
      let source = MemorySource(file)
      guard try VHDImage.recognizes(source) else { return nil }
      return try Images.read(file)
    } catch is FormatError {
      return nil
    }
  }

  private func isRightOrRefused(_ file: [UInt8]) throws -> Bool {
    let result = try reading(file)
    return result == nil || result == VHDDamageTests.content
  }

  @Test func `every truncation is refused or reads the same`() throws {
    for (name, file) in try VHDDamageTests.files() {
      // Every length near a structure's end, and every 61st between.
      var lengths = Set(stride(from: 0, to: file.count, by: 61))
      for edge in [0, 512, 1536, 2048, file.count - 512, file.count] {
        for length in edge - 40...edge + 40 where (0..<file.count).contains(length) {
          lengths.insert(length)
        }
      }
      for length in lengths.sorted() {
        let cut = Array(file.prefix(length))
        let right = try isRightOrRefused(cut)
        #expect(right, "\(name), \(length) bytes")
        guard let findings = try? Images.problems(cut) else { continue }
        #expect(!findings.isEmpty, "\(name), \(length) bytes")
      }
    }
  }

  @Test func `every flipped byte of a structure is refused or reads the same, and is found`() throws
  {
    for (name, file) in try VHDDamageTests.files() {
      var places = Array(file.count - 512..<file.count)
      if name == "dynamic" { places += 0..<2048 }
      for place in places {
        for mask in [0xff, 0x01, 0x80] as [UInt8] {
          var damaged = file
          damaged[place] ^= mask
          let right = try isRightOrRefused(damaged)
          // The table has no checksum: a block may come from the wrong place, and only the bitmap
          // that is missing there tells of it.
          #expect(right || (1536..<2048).contains(place), "\(name), byte \(place) ^ \(mask)")
          guard let findings = try? Images.problems(damaged) else { continue }
          #expect(!findings.isEmpty, "\(name), byte \(place) ^ \(mask)")
        }
      }
    }
  }

  @Test func `noise in the structures never traps`() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var noise = Noise(seed)
    for (name, file) in try VHDDamageTests.files() {
      for _ in 0..<1000 {
        var damaged = file
        for _ in 0..<1 + noise.below(8) {
          let place = noise.below(2) == 0 ? noise.below(2048) : file.count - 1 - noise.below(512)
          damaged[place] = UInt8(truncatingIfNeeded: noise.next() >> 20)
        }
        if noise.below(2) == 0 { VHDDamageTests.reseal(&damaged, dynamic: name == "dynamic") }
        _ = try reading(damaged)
        do { _ = try Images.problems(damaged) } catch is FormatError {}
      }
    }
    print("seed of the noise: \(seed)")
  }

  /// Computes all checksums anew, so that nothing but a field's own value tells of a change.
  static func reseal(_ file: inout [UInt8], dynamic: Bool) {
    func seal(_ start: Int, _ count: Int, _ place: Int) {
      for index in 0..<4 { file[start + place + index] = 0 }
      let sum = vhdChecksum(Array(file[start..<start + count]))
      for index in 0..<4 {
        file[start + place + index] = UInt8(truncatingIfNeeded: sum >> UInt32((3 - index) * 8))
      }
    }
    seal(file.count - 512, 512, 64)
    if dynamic {
      seal(0, 512, 64)
      seal(512, 1024, 36)
    }
  }

  /// Changes of single fields, as offset in the footer and new bytes, that make no sense.
  static let footerChanges: [(field: String, offset: Int, bytes: [UInt8])] = [
    ("features", 8, [0, 0, 0, 0]), ("features", 8, [0, 0, 0, 3]), ("features", 8, [0, 0, 1, 2]),
    ("version", 12, [0, 2, 0, 0]), ("version", 12, [0, 1, 0, 1]),
    ("header offset", 16, [0, 0, 0, 0, 0, 0, 0, 0]),
    ("header offset", 16, [0, 0, 0, 0, 0, 0, 4, 0]),
    ("header offset", 16, [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ("timestamp", 24, [0xff, 0xff, 0xff, 0xff]), ("creator", 28, [0x1b, 0x5b, 0x31, 0x6d]),
    ("creator", 28, [0, 0, 0, 0]), ("creator system", 36, Array("Beos".utf8)),
    ("original size", 40, [0, 0, 0, 0, 0, 0, 0, 0]),
    ("original size", 40, [0, 0, 0, 0, 0, 0, 0x26, 1]),
    ("size", 48, [0, 0, 0, 0, 0, 0, 0, 0]), ("size", 48, [0, 0, 0, 0, 0, 0, 0x26, 1]),
    ("size", 48, [0, 0, 0, 0, 0x10, 0, 0x26, 0]), ("size", 48, [0xff, 0, 0, 0, 0, 0, 0, 0]),
    ("cylinders", 56, [0, 0]), ("heads", 58, [0]), ("heads", 58, [255]), ("sectors", 59, [0]),
    ("type", 60, [0, 0, 0, 0]), ("type", 60, [0, 0, 0, 9]), ("type", 60, [0, 0, 0, 4]),
    ("identifier", 68, [UInt8](repeating: 0, count: 16)), ("saved state", 84, [1]),
    ("saved state", 84, [2]), ("reserved", 85, [1]), ("reserved", 300, [1]),
    ("reserved", 511, [0x80]),
  ]

  @Test func `a footer's fields are judged beyond their checksum`() throws {
    for (name, file) in try VHDDamageTests.files() {
      for change in VHDDamageTests.footerChanges {
        var damaged = file
        for (index, byte) in change.bytes.enumerated() {
          damaged[damaged.count - 512 + change.offset + index] = byte
          if name == "dynamic" { damaged[change.offset + index] = byte }
        }
        VHDDamageTests.reseal(&damaged, dynamic: name == "dynamic")
        let changed = damaged != file
        #expect(changed, "\(change)")
        let findings = try Images.problems(damaged)
        #expect(!findings.isEmpty, "\(name): \(change.field) \(change.bytes)")
        let right = try isRightOrRefused(damaged)
        #expect(right, "\(name): \(change.field)")
      }
    }
  }

  /// The same for the dynamic header and the table behind it.
  static let headerChanges: [(field: String, offset: Int, bytes: [UInt8])] = [
    ("next", 8, [0, 0, 0, 0, 0, 0, 2, 0]), ("table offset", 16, [0, 0, 0, 0, 0, 0, 6, 1]),
    ("table offset", 16, [0, 0, 0, 0, 0, 0, 2, 0]), ("table offset", 16, [0, 0, 0, 0, 0, 0, 0, 0]),
    ("table offset", 16, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0]),
    ("table offset", 16, [0, 0, 0, 0, 0, 1, 0, 0]), ("version", 24, [0, 0, 0, 0]),
    ("version", 24, [0, 1, 0, 2]), ("entry count", 28, [0, 0, 0, 2]),
    ("entry count", 28, [0, 0, 4, 0]), ("entry count", 28, [0xff, 0xff, 0xff, 0xff]),
    ("block size", 32, [0, 0, 0, 0]), ("block size", 32, [0, 0, 0x10, 1]),
    ("block size", 32, [0, 0, 8, 0]), ("block size", 32, [0, 0, 0x20, 0]),
    ("block size", 32, [0x80, 0, 0, 0]), ("parent identifier", 40, [1]),
    ("parent timestamp", 56, [1]), ("reserved", 60, [1]), ("parent name", 64, [1]),
    ("locator", 576, Array("W2ru".utf8)), ("locator", 767, [1]), ("reserved", 768, [1]),
    ("reserved", 1023, [1]), ("entry", 1024, [0, 0, 0, 0]), ("entry", 1024, [0, 0, 0, 6]),
    ("entry", 1024, [0, 0, 0, 4]), ("entry", 1024, [0, 0, 0, 8]),
    ("entry", 1024, [0xff, 0xff, 0xff, 0xff]), ("entry", 1024, [0x7f, 0, 0, 0]),
    ("entry", 1028, [0, 0, 0, 15]), ("padding", 1036, [0]), ("padding", 1535, [1]),
  ]

  @Test func `a header's fields and the table are judged beyond their checksum`() throws {
    let file = try Images.dynamic(VHDDamageTests.content)
    for change in VHDDamageTests.headerChanges {
      var damaged = file
      for (index, byte) in change.bytes.enumerated() {
        damaged[512 + change.offset + index] = byte
      }
      VHDDamageTests.reseal(&damaged, dynamic: true)
      let changed = damaged != file
      #expect(changed, "\(change)")
      let findings = try Images.problems(damaged)
      #expect(!findings.isEmpty, "\(change.field) \(change.bytes)")
    }
  }

  @Test func `the footer's copy must agree`() throws {
    let file = try Images.dynamic(VHDDamageTests.content)
    var other = file
    other[30] ^= 1
    let seal = VHDFooter.byteCount
    var copy = try VHDFooter(parsing: Array(other.prefix(seal)).span, at: 0)
    copy.checksum = copy.computedChecksum
    other.replaceSubrange(0..<seal, with: copy.bytes)
    let right = try isRightOrRefused(other)
    #expect(right)
    #expect(try Images.problems(other).map(\.error.offset) == [30])
  }

  @Test func `a sector that its bitmap denies is found`() throws {
    var file = try Images.dynamic(VHDDamageTests.content)
    let bitmap = 4096 - 512
    #expect(file[bitmap] == 0xff)
    file[bitmap] = 0xfe
    let findings = try Images.problems(file)
    #expect(
      findings.map(\.error.description) == [
        "VHD sector bitmap at byte 3584: sector 7 of block 0 holds data but is marked as absent"
      ])
  }

  @Test func `what is no VHD at all is said to be none`() {
    for length in [0, 10, 512, 5000] {
      let noise = MemorySource(Images.noise(length, seed: 77))
      #expect(throws: FormatError.self) { _ = try VHDCheck.findings(in: noise, now: Images.now) }
    }
  }

  /// Whether check or repair takes something in the disk for a footer that a change of size left.
  private func hasLeftFooter(_ file: [UInt8]) throws -> Bool {
    let plan = try RepairPlan(MemorySource(file), .vhd, now: Images.now)
    return try !plan.steps.isEmpty
      || Images.problems(file).contains { "\($0.error)".contains("left its old footer") }
  }

  @Test func `what a guest wrote is not taken for a footer that a change of size left`() throws {
    let size = VHDDamageTests.content.count
    let old = 4096
    var footer = Images.footer(.fixed, UInt64(size))
    footer.originalSize = UInt64(old)
    footer.checksum = footer.computedChecksum
    let sound = VHDDamageTests.content + footer.bytes
    func file(_ written: [UInt8], at place: Int) -> [UInt8] {
      var file = sound
      file.replaceSubrange(place..<place + written.count, with: written)
      return file
    }
    let left = Images.footer(.fixed, UInt64(old))
    var other = left
    other.identifier[0] ^= 1
    other.checksum = other.computedChecksum
    let cookie = Array("conectix".utf8)
    #expect(try hasLeftFooter(file(left.bytes, at: old)))
    for guest in [file(other.bytes, at: old), file(cookie, at: old), file(cookie, at: old + 1)] {
      #expect(try !hasLeftFooter(guest))
      #expect(try Images.problems(guest).isEmpty)
    }
  }

  @Test func `a footer that was left does not reach into the one that counts`() throws {
    let size = VHDDamageTests.content.count
    for count in [84, 100, 511] {
      let old = size - count
      var footer = Images.footer(.fixed, UInt64(size))
      footer.originalSize = UInt64(old)
      footer.checksum = footer.computedChecksum
      // Its end is the start of the other one, and its checksum fits.
      var left = Images.footer(.fixed, 0)
      left.size = UInt64(old)
      let bytes = Array(left.bytes.prefix(count) + footer.bytes.prefix(512 - count))
      left = try VHDFooter(parsing: bytes.span, at: 0)
      left.checksum = left.computedChecksum
      #expect(left.bytes.suffix(512 - count) == footer.bytes.prefix(512 - count))
      let file = VHDDamageTests.content.prefix(old) + left.bytes.prefix(count) + footer.bytes
      #expect(try !hasLeftFooter(Array(file)), "\(count) bytes before the end")
    }
  }
}
