internal import Blocks
internal import Bytes

/// Judges the item by which a differencing VHDX finds its parent: `VHDXParentLocator` tells its layout.
enum VHDXLocatorCheck {
  private static let name = "VHDX parent locator"
  private static let paths = ["relative_path", "volume_path", "absolute_win32_path"]

  /// A pair, with the place of its entry in the item.
  struct Pair: Equatable {
    let place: Int
    let key: String
    let value: String
  }

  /// The pairs of an item; those that cannot be are told instead.
  static func pairs(_ bytes: [UInt8], _ list: inout FindingList) -> [Pair] {
    guard bytes.count >= 20 else {
      list.add(.problem, at: 0, .truncated)
      return []
    }
    let count = Int(bytes[18]) | Int(bytes[19]) << 8
    guard 20 + count * 12 <= bytes.count else {
      list.add(.problem, at: 18, .impossible("\(count) pairs in \(bytes.count) bytes"))
      return []
    }
    var pairs: [Pair] = []
    for place in stride(from: 20, to: 20 + count * 12, by: 12) {
      let lengths = bytes.span.little32(at: place + 8)
      let key = text(bytes, bytes.span.little32(at: place), lengths & 0xffff)
      let value = text(bytes, bytes.span.little32(at: place + 4), lengths >> 16)
      guard let key, let value, !key.isEmpty, !value.isEmpty else {
        list.add(
          .problem, at: UInt64(place), .impossible("a key or its value is no text in the item"))
        continue
      }
      pairs.append(Pair(place: place, key: key, value: value))
    }
    return pairs
  }

  /// The text of UTF-16 in a part of the item; nil when it is none or lies outside.
  private static func text(_ bytes: [UInt8], _ offset: UInt32, _ length: UInt32) -> String? {
    let start = Int(offset)
    let end = start + Int(length)
    guard length % 2 == 0, start >= 20, end <= bytes.count else { return nil }
    let units = stride(from: start, to: end, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
    return String(validating: units, as: UTF16.self)
  }

  /// What is wrong with an item.
  ///
  /// - Parameter place: Where the item lies in the file.
  static func findings(_ bytes: [UInt8], at place: UInt64) -> [Finding] {
    var list = FindingList(name, at: place)
    let pairs = pairs(bytes, &list)
    guard bytes.count >= 20 else { return list.findings }
    let type = GUID(bytes: Array(bytes[0..<16]))
    list.expect(type == VHDXParentLocator.type, at: 0, "of an unknown type: \(type)")
    list.expect(bytes[16] == 0 && bytes[17] == 0, at: 16, "a reserved field is not zero")
    var seen: Set<String> = []
    for pair in pairs {
      list.expect(
        seen.insert(pair.key).inserted, at: UInt64(pair.place), "the key \(pair.key) stands twice")
      switch pair.key {
      case "parent_linkage", "parent_linkage2":
        list.expect(
          isGUID(pair.value), at: UInt64(pair.place), "\(pair.key) is no GUID: \(pair.value)")
      case _ where paths.contains(pair.key): break
      default: list.add(.note, at: UInt64(pair.place), .impossible("an unknown key: \(pair.key)"))
      }
    }
    list.expect(seen.contains("parent_linkage"), at: 0, "there is no parent_linkage")
    list.expect(!seen.isDisjoint(with: paths), at: 0, "there is no path of the parent")
    return list.findings
  }

  /// Whether `text` is a GUID in braces.
  private static func isGUID(_ text: String) -> Bool {
    guard text.hasPrefix("{"), text.hasSuffix("}") else { return false }
    let parts = text.dropFirst().dropLast().split(
      separator: "-", omittingEmptySubsequences: false)
    return parts.map(\.count) == [8, 4, 4, 4, 12]
      && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) }
  }
}
