internal import Blocks
internal import Bytes

/// Judges how a differencing VHD names its parent: in its header, and in texts elsewhere in the file.
struct VHDParentCheck {
  private static let known = ["W2ru", "W2ku", "Wi2r", "Wi2k", "Mac ", "MacX"]
  /// No path is longer than what Windows takes.
  private static let byteLimit: UInt32 = 64 << 10

  private let source: any BlockSource
  private let header: VHDDynamicHeader
  private var list: FindingList
  private var codes: Set<String> = []

  /// - Parameters:
  ///   - source: The file.
  ///   - header: A differencing disk's.
  ///   - place: Where the header lies.
  /// - Returns: What is wrong, and what is worth knowing.
  static func findings(
    _ source: any BlockSource, _ header: VHDDynamicHeader, at place: UInt64
  ) throws -> [Finding] {
    var check = VHDParentCheck(
      source: source, header: header, list: FindingList("VHD dynamic header", at: place))
    check.judgeName()
    for (index, locator) in header.locators.enumerated() {
      try check.judge(locator, at: 576 + UInt64(index) * 24)
    }
    check.list.expect(!check.codes.isEmpty, .note, at: 576, "no locator leads to the parent")
    return check.list.findings
  }

  private mutating func judgeName() {
    let name = header.parentName
    let units = stride(from: 0, to: name.count, by: 2).map {
      UInt16(name[$0]) << 8 | UInt16(name[$0 + 1])
    }
    let used = units.prefix { $0 != 0 }
    list.expect(
      String(validating: Array(used), as: UTF16.self) != nil, at: 64,
      "the parent's name is no text")
    list.expect(
      !units.dropFirst(used.count).contains { $0 != 0 }, at: 64,
      "something follows the end of the parent's name")
  }

  private mutating func judge(_ locator: VHDParentLocator, at place: UInt64) throws {
    guard locator.platform != 0 else {
      list.expect(
        locator == VHDParentLocator(), at: place, "a locator without a platform holds something")
      return
    }
    let code = VHDFooter.text(locator.platform)
    guard VHDParentCheck.known.contains(code) else {
      list.add(.problem, at: place, .impossible("a locator of an unknown platform: \(code)"))
      return
    }
    list.expect(codes.insert(code).inserted, at: place, "two locators for \(code)")
    list.expect(
      locator.byteCount > 0 && locator.byteCount <= VHDParentCheck.byteLimit, at: place + 8,
      "a path of \(locator.byteCount) bytes")
    // In sectors as specified, in bytes as many write it.
    let space = UInt64(locator.space)
    list.expect(
      space * 512 >= UInt64(locator.byteCount) && space <= UInt64(VHDParentCheck.byteLimit),
      at: place + 4, "room for \(space) sectors or bytes, and \(locator.byteCount) bytes in it")
    guard locator.byteCount <= VHDParentCheck.byteLimit, locator.offset < source.size,
      let bytes = try source.bytes(Int(locator.byteCount), at: locator.offset)
    else { return }
    list.expect(
      VHDParentCheck.isText(bytes, code), at: place,
      "the path for \(code) at \(locator.offset) is no text")
  }

  private static func isText(_ bytes: [UInt8], _ code: String) -> Bool {
    switch code {
    case "W2ru", "W2ku":
      guard bytes.count % 2 == 0 else { return false }
      let units = stride(from: 0, to: bytes.count, by: 2).map {
        UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
      }
      // Some writers count the zero behind the text.
      let used = units.last == 0 ? units.dropLast() : units[...]
      return !used.contains(0) && String(validating: Array(used), as: UTF16.self) != nil
    case "MacX": return String(validating: bytes, as: UTF8.self) != nil
    default: return true
    }
  }
}
