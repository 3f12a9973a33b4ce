internal import Glibc

/// Facts about this machine.
public enum Host {
  /// The machine's name; empty when it has none.
  public static var name: String {
    var text = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&text, text.count - 1) == 0 else { return "" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether this process may do everything, such as giving files to others.
  public static var isRoot: Bool { geteuid() == 0 }
}
