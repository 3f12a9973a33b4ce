internal import Glibc

/// Times as the project writes them.
public enum Clock {
  /// Seconds since 1970.
  public static func now() -> Int64 { Int64(time(nil)) }

  /// Seconds from a start that does not matter, never going back.
  public static func monotonic() -> Double {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }

  /// RFC 3339, in UTC: `2026-11-21T09:30:00Z`.
  public static func text(_ seconds: Int64) -> String {
    var value = time_t(seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&value, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let year = unsafe String(Int(parts.tm_year) + 1900)
    let date = unsafe "-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    let time = unsafe "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    return String(repeating: "0", count: max(0, 4 - year.count)) + year + date + time
  }
}
