internal import Blocks
internal import Bytes

/// Judges the two headers of a VHDX, each by itself and against the other.
struct VHDXHeaderCheck {
  private static let name = "VHDX header"
  private let source: any BlockSource
  private(set) var findings: [Finding] = []

  init(_ source: any BlockSource) { self.source = source }

  /// - Returns: The header in force, if there is one that can be gone on with.
  mutating func run() throws -> VHDXHeader? {
    var headers: [(place: UInt64, header: VHDXHeader)] = []
    var troubles: [FormatError] = []
    for place in VHDX.headerOffsets {
      do {
        headers.append((place, try VHDXHeaderCheck.header(of: source, at: place)))
      } catch let error as FormatError {
        troubles.append(error)
      }
    }
    let severity: Finding.Severity = headers.isEmpty ? .refusal : .problem
    findings += troubles.map { Finding(severity, $0) }
    let current: VHDXHeader
    do {
      current = try VHDXImage.header(of: source)
    } catch let error as FormatError {
      if !troubles.contains(error) { findings.append(Finding(.refusal, error)) }
      return nil
    }
    for (place, header) in headers { judge(header, at: place, isCurrent: header == current) }
    if headers.count == 2 { compare(headers[0].header, headers[1].header) }
    return current
  }

  /// The header at `place`, whose signature and checksum are right.
  static func header(of source: any BlockSource, at place: UInt64) throws -> VHDXHeader {
    guard let bytes = try source.bytes(VHDXHeader.byteCount, at: place) else {
      throw FormatError(name, at: place, .truncated)
    }
    return try VHDXHeader(parsing: bytes, at: place)
  }

  private mutating func judge(_ header: VHDXHeader, at place: UInt64, isCurrent: Bool) {
    var list = FindingList(VHDXHeaderCheck.name, at: place)
    let severity: Finding.Severity = isCurrent ? .refusal : .problem
    if header.version != 1 {
      list.add(severity, at: 66, .unsupported("version \(header.version)"))
    }
    if header.logVersion != 0 {
      list.add(
        isCurrent && header.log != .zero ? .refusal : .problem, at: 64,
        .unsupported("log version \(header.logVersion)"))
    }
    list.expect(header.sequence != .max, .note, at: 8, "the sequence number cannot grow any more")
    list.expect(header.fileWrite != .zero, at: 16, "the identifier of writes to the file is zero")
    list.expect(header.dataWrite != .zero, at: 32, "the identifier of writes to the disk is zero")
    let log = header.logRange
    let length = log.upperBound - log.lowerBound
    list.expect(
      length > 0 && length % VHDX.alignment == 0, at: 68,
      "a log of \(length) bytes is no multiple of 1 MiB")
    list.expect(
      log.lowerBound >= VHDX.alignment && log.lowerBound % VHDX.alignment == 0, at: 72,
      "the log at \(log.lowerBound) is not at a multiple of 1 MiB")
    list.expect(
      log.upperBound <= source.size, at: 72,
      "the log at \(log.lowerBound) goes beyond the file's end")
    if let index = header.bytes.dropFirst(80).firstIndex(where: { $0 != 0 }) {
      list.add(.problem, at: UInt64(index), .impossible("a reserved byte is not zero"))
    }
    findings += list.findings
  }

  /// What two whole headers say of each other: a writer changes both, one after the other.
  private mutating func compare(_ first: VHDXHeader, _ second: VHDXHeader) {
    var list = FindingList(VHDXHeaderCheck.name, at: VHDX.headerOffsets[1])
    if first.sequence == second.sequence {
      list.add(.note, at: 8, .impossible("both headers have the number \(first.sequence)"))
      return
    }
    let distance = max(first.sequence, second.sequence) - min(first.sequence, second.sequence)
    list.expect(
      distance == 1, .note, at: 8,
      "the headers' numbers are \(first.sequence) and \(second.sequence)")
    list.expect(
      first.log == second.log, .note, at: 48, "the headers differ in whether the log is in use")
    list.expect(
      first.logRange == second.logRange, at: 68, "the headers differ in where the log lies")
    findings += list.findings
  }
}
