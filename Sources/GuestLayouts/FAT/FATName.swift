internal import Bytes

/// The long name of a file, in pieces of 13 UTF-16 units in the entries before its own.
///
///     offset size  field
///          0    1  number of the piece, from 1; 40 more in the last one, which comes first
///          1   10  5 units
///         11    1  attributes    0F
///         12    1  0
///         13    1  checksum of the short name
///         14   12  6 units
///         26    2  0
///         28    4  2 units
///
/// A NUL ends the name, FFFF fills the rest. Microsoft FAT Specification, "Long Directory Entries".
/// Pieces that do not belong to the entry behind them were left by a system that does not know
/// them, and count for nothing.
struct FATLongName {
  private static let pieceLimit = 20
  /// The most units of a name.
  private static let unitLimit = 255

  private var units: [UInt16] = []
  /// The number of the piece that came last; 1 when all are there.
  private var number = 0
  private var checksum: UInt8 = 0

  mutating func add(_ bytes: [UInt8]) {
    let mark = Int(bytes[0])
    if mark & 0x40 != 0 {
      self = FATLongName()
      number = mark & 0x3F
      checksum = bytes[13]
      guard (1...FATLongName.pieceLimit).contains(number) else { return clear() }
    } else {
      guard number > 1, mark == number - 1, bytes[13] == checksum else { return clear() }
      number = mark
    }
    let places = Array(stride(from: 1, to: 11, by: 2)) + Array(stride(from: 14, to: 26, by: 2))
    let piece = (places + [28, 30]).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
    units.insert(contentsOf: piece, at: 0)
  }

  mutating func clear() { self = FATLongName() }

  /// The name as UTF-8, if it is that of the file with this short name.
  func name(for short: [UInt8]) -> [UInt8]? {
    guard number == 1, checksum == FATName.checksum(short) else { return nil }
    let text = units.prefix { $0 != 0 }
    guard text.count <= FATLongName.unitLimit else { return nil }
    let name = Array(String(decoding: text, as: UTF16.self).utf8)
    return FATName.isUsable(name) ? name : nil
  }
}

/// Names of 8 and 3 characters.
enum FATName {
  /// What is above ASCII in code page 437, that of DOS in the United States; which one a disk was
  /// written with is not told anywhere.
  private static let upper = Array(
    ("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
      + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}").unicodeScalars)

  /// The sum that a long name's pieces carry.
  static func checksum(_ name: [UInt8]) -> UInt8 {
    name.reduce(0) { ($0 << 7 | $0 >> 1) &+ $1 }
  }

  /// Bytes of code page 437 as UTF-8.
  static func decoded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var text = String.UnicodeScalarView()
    for byte in bytes {
      text.append(byte < 0x80 ? Unicode.Scalar(byte) : upper[Int(byte) - 0x80])
    }
    return Array(String(text).utf8)
  }

  /// The short name of an entry as it is shown, as UTF-8.
  static func short(of entry: FATEntry) throws(FormatError) -> [UInt8] {
    var bytes = entry.name
    // A first byte of E5 would say that the entry is deleted.
    if bytes[0] == 0x05 { bytes[0] = 0xE5 }
    let stem = part(bytes[0..<8], isLower: entry.caseFlags & 0x08 != 0)
    let ending = part(bytes[8..<11], isLower: entry.caseFlags & 0x10 != 0)
    let name = ending.isEmpty ? stem : stem + [0x2E] + ending
    guard isUsable(name) else {
      throw FormatError("FAT directory", at: entry.offset, .impossible("no name of a file"))
    }
    return name
  }

  private static func part(_ bytes: ArraySlice<UInt8>, isLower: Bool) -> [UInt8] {
    let end = bytes.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? bytes.startIndex
    let text = String(decoding: decoded(bytes[bytes.startIndex..<end]), as: UTF8.self)
    return Array((isLower ? text.lowercased() : text).utf8)
  }

  static func isUsable(_ name: [UInt8]) -> Bool {
    !name.isEmpty && name != [0x2E] && name != [0x2E, 0x2E] && !name.contains(0x2F)
      && !name.contains(0)
  }
}
