/// Times as FAT and exFAT store them: a date and a time of day in 16 bits each.
///
///     date: bits 0-4 day 1-31, bits 5-8 month 1-12, bits 9-15 years since 1980
///     time: bits 0-4 seconds / 2, bits 5-10 minutes, bits 11-15 hours
///
/// Microsoft FAT Specification, "Date and Time Formats".
enum DOSTime {
  /// - Parameters:
  ///   - date: The packed date.
  ///   - time: The packed time of day.
  ///   - hundredths: 10 ms more, of 0 to 199.
  ///   - quarters: How many quarters of an hour the local time is ahead of UTC. FAT does not tell
  ///     it: there, local time is taken as if it were UTC.
  /// - Returns: Nil when it is no date.
  static func time(
    date: UInt16, time: UInt16, hundredths: UInt8 = 0, quarters: Int64 = 0
  ) -> FileTime? {
    let day = Int64(date & 31)
    let month = Int64(date >> 5 & 15)
    let year = 1980 + Int64(date >> 9)
    let hour = Int64(time >> 11)
    let minute = Int64(time >> 5 & 63)
    let second = Int64(time & 31) * 2
    guard day >= 1, (1...12).contains(month), hour < 24, minute < 60, second < 60,
      hundredths < 200
    else { return nil }
    let days = self.days(year, month, day)
    let seconds = days * 86400 + hour * 3600 + minute * 60 + second + Int64(hundredths) / 100
    return FileTime(
      seconds: seconds - quarters * 900, nanoseconds: UInt32(hundredths % 100) * 10_000_000)
  }

  /// Days from 1970 to a day of the years that there are here.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
    let whole = year - 1
    let leaps = whole / 4 - whole / 100 + whole / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
    let inYear = Int64(before[Int(month) - 1]) + (isLeap && month > 2 ? 1 : 0) + day - 1
    return (year - 1970) * 365 + leaps + inYear
  }
}
