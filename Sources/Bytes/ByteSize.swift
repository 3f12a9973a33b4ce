/// Sizes as people write and read them.
public enum ByteSize {
  /// Reads `64K`, `1M`, `127GiB`, `8TB` or plain bytes; K, M, G, T, P are powers of 1024.
  ///
  /// - Returns: The size in bytes, or nil when the text is no size or does not fit.
  public static func parse(_ text: String) -> UInt64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty, let number = UInt64(digits) else { return nil }
    let shift: UInt64
    switch text.dropFirst(digits.count).uppercased() {
    case "", "B": shift = 0
    case "K", "KB", "KIB": shift = 10
    case "M", "MB", "MIB": shift = 20
    case "G", "GB", "GIB": shift = 30
    case "T", "TB", "TIB": shift = 40
    case "P", "PB", "PIB": shift = 50
    default: return nil
    }
    let (size, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : size
  }

  /// Three significant digits and a binary unit: `4.83 GiB`.
  public static func text(_ bytes: UInt64) -> String { text(Double(bytes)) }

  /// The same with `/s` behind it, for so many bytes in so many seconds.
  public static func rate(_ bytes: UInt64, seconds: Double) -> String {
    text((Double(bytes) / max(seconds, 0.001)).rounded()) + "/s"
  }

  private static func text(_ bytes: Double) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit = 0
    var scaled = bytes
    while scaled >= 1023.5, unit < units.count - 1 {
      scaled /= 1024
      unit += 1
    }
    if unit == 0 { return "\(UInt64(bytes)) B" }
    let decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0
    return "\(fixed(scaled, decimals)) \(units[unit])"
  }

  /// `value` with a fixed number of decimals.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    var power: Double = 1
    for _ in 0..<decimals { power *= 10 }
    let whole = UInt64((max(value, 0) * power).rounded())
    if decimals == 0 { return "\(whole)" }
    let factor = UInt64(power)
    let fraction = String(whole % factor)
    return "\(whole / factor)."
      + String(repeating: "0", count: decimals - fraction.count) + fraction
  }
}
