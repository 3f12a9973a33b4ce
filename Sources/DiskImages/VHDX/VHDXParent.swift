internal import Blocks
internal import Bytes

/// Where a differencing VHDX says that its parent is.
///
///      0   16  type: B04AEFB7-D19E-4A81-B789-25B8E9445913
///     16    2  reserved, 18 (2): entries
///     20  entries of 12 bytes: offset of the key (4) and of the value (4), their lengths (2 each)
///
/// Offsets count from the item's start, text is UTF-16. [MS-VHDX] 2.6.2.6.
struct VHDXParentLocator: Sendable {
  static let type = GUID("B04AEFB7-D19E-4A81-B789-25B8E9445913")
  /// Of the item: far more than paths need.
  static let byteLimit: UInt64 = 1 << 20
  private static let countLimit: UInt16 = 256
  private static let structure = "VHDX parent locator"

  let values: [String: String]

  /// - Parameters:
  ///   - bytes: The item.
  ///   - offset: Where it lies in the file.
  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "VHDX parent locator", at: offset, .little)
    let type = try cursor.guid()
    guard type == VHDXParentLocator.type else {
      throw FormatError(VHDXParentLocator.structure, at: offset, .unsupported("type \(type)"))
    }
    try cursor.skip(2)
    let count = try cursor.u16()
    guard count <= VHDXParentLocator.countLimit else {
      throw FormatError(
        VHDXParentLocator.structure, at: offset + 18, .impossible("\(count) entries"))
    }
    var values: [String: String] = [:]
    for _ in 0..<count {
      let place = offset + UInt64(cursor.position)
      let key = Int(try cursor.u32())
      let value = Int(try cursor.u32())
      let keyLength = Int(try cursor.u16())
      let valueLength = Int(try cursor.u16())
      guard key <= bytes.count, keyLength <= bytes.count - key, value <= bytes.count,
        valueLength <= bytes.count - value
      else {
        throw FormatError(
          VHDXParentLocator.structure, at: place, .impossible("an entry outside the item"))
      }
      let name = UTF16Text.decode(Array(bytes[key..<key + keyLength]), .little)
      guard values[name] == nil else {
        throw FormatError(
          VHDXParentLocator.structure, at: place, .impossible("'\(name.printable)' stands twice"))
      }
      values[name] = UTF16Text.decode(Array(bytes[value..<value + valueLength]), .little)
    }
    self.values = values
  }

  /// What the parent's data write GUID may be.
  var linkages: [String] {
    ["parent_linkage", "parent_linkage2"].compactMap { values[$0] }.map { text in
      text.filter { $0 != "{" && $0 != "}" }.lowercased()
    }
  }

  /// What the parent may be called here, the likeliest first.
  var names: [String] {
    ["relative_path", "volume_path", "absolute_win32_path"].compactMap { values[$0] }
      .flatMap(\.candidatesFromWindows).distinct
  }
}

extension VHDXImage {
  /// The parent of a differencing disk; nil for others.
  ///
  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - offset: Where its metadata lie.
  static func parent(
    _ file: any BlockSource, _ metadata: VHDXMetadata, at offset: UInt64, _ options: OpeningOptions
  ) throws -> (any BlockSource)? {
    guard metadata.hasParent else { return nil }
    let range = metadata.parentLocator ?? 0..<0
    let bytes = try file.bytes(range.count, at: range.lowerBound) ?? []
    let locator = try VHDXParentLocator(parsing: bytes, at: range.lowerBound)
    guard !locator.names.isEmpty else {
      throw FormatError("VHDX parent locator", at: offset, .impossible("the parent has no name"))
    }
    let companion = try options.companions.open(locator.names, as: .parent)
    let image = try companion.opened(as: .parent) { file in
      try VHDXImage(opening: file, options.of(companion))
    }
    let state = "\(image.dataWrite)".lowercased()
    guard locator.linkages.contains(state) else {
      throw companion.mismatch(
        .parent,
        "its data are in state \(state), the child was made of "
          + locator.linkages.joined(separator: " or "))
    }
    return ParentDisk(image, in: companion, as: .parent)
  }
}
