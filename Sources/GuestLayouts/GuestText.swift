internal import Bytes

/// Names and identifiers from a guest's disk, made fit to be shown.
public enum GuestText {
  /// Text of a fixed field, ended by a NUL or the field's end; nil when it is empty.
  static func label(_ bytes: [UInt8]?) -> String? {
    guard let bytes else { return nil }
    return shown(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
  }

  /// UTF-16LE text of a fixed field; nil when it is empty.
  static func wideLabel(_ bytes: [UInt8]) -> String? {
    let units = stride(from: 0, to: bytes.count - bytes.count % 2, by: 2).map {
      UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
    }
    return shown(String(decoding: units.prefix { $0 != 0 }, as: UTF16.self))
  }

  /// A path in a guest; bytes that are no UTF-8 and what could steer a terminal are replaced.
  public static func path(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    return bytes.allSatisfy { (0x20..<0x7F).contains($0) } ? text : cleaned(text)
  }

  /// Text without what could steer a terminal, and without spaces around it.
  private static func shown(_ text: String) -> String? {
    var result = cleaned(text)
    while result.last == " " { result.removeLast() }
    while result.first == " " { result.removeFirst() }
    return result.isEmpty ? nil : result
  }

  private static func cleaned(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
        result.unicodeScalars.append("\u{FFFD}")
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A UUID whose bytes are in the order in which they are written; nil when it is all zeros.
  static func uuid(_ bytes: [UInt8]?) -> String? {
    guard let bytes, bytes.count == 16, bytes.contains(where: { $0 != 0 }) else { return nil }
    let digits = Array(Hex.text(bytes))
    let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
    return groups.map { String(digits[$0]) }.joined(separator: "-")
  }

  /// A GUID as GPT stores it: the first three groups are little-endian numbers.
  static func guid(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 16 else { return nil }
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    return uuid(order.map { bytes[$0] })
  }
}
