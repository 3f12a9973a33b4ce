/// A pattern for paths in a guest, such as `/var/cache/**` or `C:\Windows\Temp\**`.
///
/// `*` and `?` stand for signs of one name, `[a-z]` and `[!a-z]` for one sign, `**` for any number of
/// names. A pattern that starts with `/` counts from the guest's root, others match at any depth.
/// One that starts with a drive letter or `\` is a Windows path: `\` parts its names, and the letter
/// is not looked at, as disks do not tell it. Elsewhere `\` takes the next sign as it is. What
/// matches a folder matches everything in it.
public struct PathPattern: Equatable, Sendable {
  /// Why a pattern was refused.
  public struct Problem: Error, CustomStringConvertible {
    public let description: String
  }

  enum Component: Equatable, Sendable {
    /// Any number of names.
    case deep
    case name(NamePattern)
  }

  /// Never ends in `deep`.
  let components: [Component]
  /// How many of them name the folder of which everything matches, `/tmp/**`; nil for others.
  let folderCount: Int?

  /// The most names of a pattern.
  static let componentLimit = 64

  /// - Throws: `Problem` for what is no pattern.
  public init(_ text: String) throws(Problem) {
    var signs = Array(text.unicodeScalars)
    var isWindows = signs.first == "\\"
    if signs.count >= 3, signs[1] == ":", signs[2] == "\\" || signs[2] == "/",
      signs[0].isASCII, signs[0].properties.isAlphabetic
    {
      signs.removeFirst(2)
      isWindows = true
    }
    if isWindows { signs = signs.map { $0 == "\\" ? "/" : $0 } }
    var components: [Component] = signs.first == "/" ? [] : [.deep]
    for part in signs.split(separator: "/") {
      if Array(part) == ["*", "*"] {
        if components.last != .deep { components.append(.deep) }
      } else {
        components.append(.name(try NamePattern(Array(part), of: text)))
      }
    }
    guard components.contains(where: { $0 != .deep }) || text.contains("**") else {
      throw Problem(description: "'\(text)' names no file")
    }
    folderCount = components.last == .deep ? components.count - 1 : nil
    if components.last == .deep { components.append(.name(.anything)) }
    guard components.count <= PathPattern.componentLimit else {
      throw Problem(description: "'\(text)' has more than \(PathPattern.componentLimit) parts")
    }
    self.components = components
  }
}

/// A pattern for one name.
struct NamePattern: Equatable, Sendable {
  fileprivate enum Token: Equatable, Sendable {
    case sign(Unicode.Scalar)
    case one
    case run
    case set([ClosedRange<Unicode.Scalar>], isInverted: Bool)
  }

  private var tokens: [Token] = []
  /// The same for names of which the case does not count.
  private var folded: [Token] = []

  static let anything = NamePattern(tokens: [.run], folded: [.run])

  private init(tokens: [Token], folded: [Token]) {
    self.tokens = tokens
    self.folded = folded
  }

  init(_ signs: [Unicode.Scalar], of text: String) throws(PathPattern.Problem) {
    var position = 0
    while position < signs.count {
      let sign = signs[position]
      position += 1
      switch sign {
      case "*": if tokens.last != .run { tokens.append(.run) }
      case "?": tokens.append(.one)
      case "[":
        guard let set = NamePattern.set(signs, &position) else {
          throw PathPattern.Problem(description: "'\(text)': a ] is missing")
        }
        tokens.append(set)
      case "\\" where position < signs.count:
        tokens.append(.sign(signs[position]))
        position += 1
      default: tokens.append(.sign(sign))
      }
    }
    for token in tokens {
      if case .sign(let sign) = token {
        folded += NamePattern.folded(sign).map { .sign($0) }
      } else {
        folded.append(token)
      }
    }
  }

  private static func set(_ signs: [Unicode.Scalar], _ position: inout Int) -> Token? {
    var place = position
    let isInverted = place < signs.count && (signs[place] == "!" || signs[place] == "^")
    if isInverted { place += 1 }
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    while place < signs.count, signs[place] != "]" || ranges.isEmpty {
      let first = signs[place]
      place += 1
      if place + 1 < signs.count, signs[place] == "-", signs[place + 1] != "]" {
        let last = signs[place + 1]
        if first <= last { ranges.append(first...last) }
        place += 2
      } else {
        ranges.append(first...first)
      }
    }
    guard place < signs.count else { return nil }
    position = place + 1
    return .set(ranges, isInverted: isInverted)
  }

  /// The signs that stand for a sign and for its other case.
  static func folded(_ sign: Unicode.Scalar) -> [Unicode.Scalar] {
    Array(sign.properties.lowercaseMapping.unicodeScalars)
  }

  func matches(_ name: NameText, _ rule: NameRule) -> Bool {
    switch rule {
    case .exact: NamePattern.matches(name.signs, tokens)
    case .ignoringCase: NamePattern.matches(name.folded, folded)
    }
  }

  /// Goes back to the last run only: as long as the name and the pattern together, times each other.
  private static func matches(_ name: [Unicode.Scalar?], _ tokens: [Token]) -> Bool {
    var at = 0
    var token = 0
    var retry: (at: Int, token: Int)?
    while at < name.count {
      if token < tokens.count, tokens[token] == .run {
        retry = (at, token + 1)
        token += 1
      } else if token < tokens.count, tokens[token].takes(name[at]) {
        at += 1
        token += 1
      } else if let last = retry {
        at = last.at + 1
        token = last.token
        retry = (at, token)
      } else {
        return false
      }
    }
    return tokens[token...].allSatisfy { $0 == .run }
  }
}

extension NamePattern.Token {
  /// - Parameter sign: Nil for bytes that are no sign.
  fileprivate func takes(_ sign: Unicode.Scalar?) -> Bool {
    switch self {
    case .sign(let own): return own == sign
    case .one: return true
    case .run: return false
    case .set(let ranges, let isInverted):
      guard let sign else { return isInverted }
      let other = sign.properties.uppercaseMapping.unicodeScalars.first ?? sign
      return ranges.contains { $0.contains(sign) || $0.contains(other) } != isInverted
    }
  }
}

/// A name as patterns see it.
struct NameText {
  /// Its signs; nil for each error in a name that is no UTF-8, which is what no pattern names.
  let signs: [Unicode.Scalar?]
  let folded: [Unicode.Scalar?]

  init(_ bytes: [UInt8], _ rule: NameRule) {
    if let text = String(validating: bytes, as: UTF8.self) {
      signs = Array(text.unicodeScalars)
    } else {
      signs = NameText.decoded(bytes)
    }
    switch rule {
    case .exact: folded = []
    case .ignoringCase:
      folded = signs.flatMap { sign -> [Unicode.Scalar?] in
        sign.map { NamePattern.folded($0) } ?? [nil]
      }
    }
  }

  private static func decoded(_ bytes: [UInt8]) -> [Unicode.Scalar?] {
    var decoder = UTF8()
    var source = bytes.makeIterator()
    var signs: [Unicode.Scalar?] = []
    while true {
      switch decoder.decode(&source) {
      case .scalarValue(let sign): signs.append(sign)
      case .error: signs.append(nil)
      case .emptyInput: return signs
      }
    }
  }
}
