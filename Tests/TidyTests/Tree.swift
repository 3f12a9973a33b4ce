import Platform
import TestSupport

/// The source tree, as the tidy tests look at it.
enum Tree {
  static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))

  static func swiftFiles(_ folder: String) throws -> [SourceFile] {
    try Scratch.files(below: "\(root)/\(folder)").filter { $0.hasSuffix(".swift") }.map {
      try SourceFile("\(folder)/\($0)")
    }
  }

  static func words(_ line: String) -> Set<String> {
    Set(line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init))
  }
}

/// One source file by lines.
struct SourceFile {
  /// A function's first line, counted from 1, and how many it has.
  struct Function {
    let line: Int
    let count: Int
  }

  let name: String
  let lines: [String]

  init(_ name: String) throws {
    self.name = name
    let bytes = try Files.contents("\(Tree.root)/\(name)", limit: 1 << 20) ?? []
    lines = String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// Lines, with their numbers from 0, that are no comments.
  var code: [(number: Int, text: String)] {
    lines.enumerated().filter { !$0.element.drop { $0 == " " }.hasPrefix("//") }
      .map { ($0.offset, $0.element) }
  }

  var imports: Set<String> {
    Set(
      code.compactMap { line in
        let words = line.text.split(separator: " ")
        guard let place = words.firstIndex(of: "import"), place + 1 < words.count,
          words[..<place].allSatisfy({
            ["public", "internal", "private", "package", "fileprivate", "@testable"].contains($0)
          })
        else { return nil }
        return words[place + 1].split(separator: ".").first.map(String.init)
      })
  }

  /// Every function, as the formatter's indentation shows it.
  var functions: [Function] {
    var result: [Function] = []
    for (number, text) in code {
      let words = Tree.words(text)
      let isFunction =
        words.contains("func") || text.contains("init(") || text.contains("init?(")
        || words.contains("deinit") || words.contains("var") && text.hasSuffix("{")
      guard isFunction else { continue }
      let indent = text.prefix { $0 == " " }.count
      guard
        let end = lines[(number + 1)...].firstIndex(where: { line in
          let body = line.drop { $0 == " " }
          return !body.isEmpty && line.prefix { $0 == " " }.count <= indent
            && !body.hasPrefix(")") && !body.hasPrefix("->")
        }), lines[end].drop(while: { $0 == " " }).hasPrefix("}")
      else { continue }
      result.append(Function(line: number + 1, count: end - number - 1))
    }
    return result
  }
}
