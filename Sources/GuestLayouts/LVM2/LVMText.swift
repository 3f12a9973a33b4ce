/// The text in which LVM2 keeps a volume group: `name = value` and `name { ... }`.
///
/// lvm.conf(5) and the sources (libdm/libdm-config.c) describe the syntax. Nothing of it is trusted:
/// nesting and the number of values are bounded.
struct LVMText {
  indirect enum Value: Equatable {
    case number(Int64)
    case text(String)
    case list([Value])
    case section([String: Value])

    var number: Int64? { if case .number(let value) = self { value } else { nil } }
    var text: String? { if case .text(let value) = self { value } else { nil } }
    var list: [Value]? { if case .list(let values) = self { values } else { nil } }
    var section: [String: Value]? { if case .section(let values) = self { values } else { nil } }
    subscript(name: String) -> Value? { section?[name] }

    /// All texts in it, at any depth.
    var texts: Set<String> {
      switch self {
      case .number: []
      case .text(let text): [text]
      case .list(let values): values.reduce(into: []) { $0.formUnion($1.texts) }
      case .section(let values): values.values.reduce(into: []) { $0.formUnion($1.texts) }
      }
    }
  }

  /// Why a text was refused.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  static let depthLimit = 16
  static let valueLimit = 500_000

  private let bytes: [UInt8]
  private var position = 0
  private var valueCount = 0

  /// - Throws: `Problem`.
  static func parse(_ text: String) throws(Problem) -> Value {
    var parser = LVMText(bytes: Array(text.utf8))
    let value = try parser.section(depth: 0)
    guard parser.position == parser.bytes.count else { throw parser.problem("a } too many") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func problem(_ text: String) -> Problem {
    Problem(description: "LVM2 metadata at byte \(position): \(text)")
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipBlanks() {
    while let byte = next {
      if byte == UInt8(ascii: "#") {
        while let byte = next, byte != UInt8(ascii: "\n") { position += 1 }
      } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
        position += 1
      } else {
        return
      }
    }
  }

  /// Whether the next sign is `sign`, which is then taken.
  private mutating func take(_ sign: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard next == UInt8(ascii: sign) else { return false }
    position += 1
    return true
  }

  private mutating func section(depth: Int) throws(Problem) -> Value {
    guard depth <= LVMText.depthLimit else { throw problem("nested too deeply") }
    var values: [String: Value] = [:]
    while true {
      skipBlanks()
      guard let byte = next, byte != UInt8(ascii: "}") else { return .section(values) }
      let name = try word()
      let value: Value
      if take("{") {
        value = try section(depth: depth + 1)
        guard take("}") else { throw problem("a } is missing") }
      } else if take("=") {
        value = try self.value(depth: depth)
      } else {
        throw problem("= or { is missing")
      }
      guard values.updateValue(value, forKey: name) == nil else {
        throw problem("\(name) comes twice")
      }
    }
  }

  private mutating func value(depth: Int) throws(Problem) -> Value {
    valueCount += 1
    guard valueCount <= LVMText.valueLimit else { throw problem("too many values") }
    guard depth <= LVMText.depthLimit else { throw problem("nested too deeply") }
    if take("\"") { return .text(try quoted()) }
    guard take("[") else {
      let text = try word()
      guard let number = Int64(text) else { throw problem("'\(text)' is no value") }
      return .number(number)
    }
    var list: [Value] = []
    while !take("]") {
      list.append(try value(depth: depth + 1))
      _ = take(",")
    }
    return .list(list)
  }

  private mutating func word() throws(Problem) -> String {
    let start = position
    while let byte = next, byte > 0x20, !"={}[],\"#".utf8.contains(byte) { position += 1 }
    guard position > start else { throw problem("a name or a number is missing") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func quoted() throws(Problem) -> String {
    var text: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
      text.append(bytes[position])
      position += 1
    }
    guard next != nil else { throw problem("a \" is missing") }
    position += 1
    return String(decoding: text, as: UTF8.self)
  }
}
