public import Blocks
internal import Bytes

/// Looks for everything that can be wrong with a VHDX, and goes on after the first trouble.
///
/// [MS-VHDX]. What the file says is judged as it is once its log has been replayed in memory.
public struct VHDXCheck {
  /// The most findings of one kind; a table of garbage would give millions.
  static let findingLimit = 100
  /// The structures that findings are about.
  public static let structures = [
    "VHDX file", "VHDX header", "VHDX log", "VHDX region table", "VHDX metadata",
    "VHDX parent locator", "VHDX block table", "VHDX chain",
  ]

  private let source: any BlockSource
  private var findings: [Finding] = []

  /// Whether `source` is a VHDX, be it one whose first bytes are damaged.
  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    if try VHDXImage.recognizes(source) { return true }
    func bears(_ signature: String, _ places: [UInt64]) throws -> Bool {
      try places.contains { try source.bytes(4, at: $0) == Array(signature.utf8) }
    }
    return try bears("head", VHDX.headerOffsets) && bears("regi", VHDX.tableOffsets)
  }

  /// Checks the VHDX in `source`.
  ///
  /// - Returns: What was found, notes included, in no particular order.
  /// - Throws: `FormatError` when it is no VHDX at all, `SourceError` when it cannot be read.
  public static func findings(in source: any BlockSource) throws -> [Finding] {
    guard try recognizes(source) else { throw FormatError("VHDX file", at: 0, .badMagic) }
    var check = VHDXCheck(source: source)
    try check.run()
    return check.findings
  }

  private init(source: any BlockSource) { self.source = source }

  private mutating func run() throws {
    try checkStart()
    var headers = VHDXHeaderCheck(source)
    let header = try headers.run()
    findings += headers.findings
    let file = try checkLog(header)
    var tables = VHDXRegionCheck(file)
    let regions = try tables.run(log: header?.logRange)
    findings += tables.findings
    guard let place = regions[VHDX.metadataRegion] else { return }
    var items = VHDXMetadataCheck(file, place)
    let metadata = try items.run()
    findings += items.findings
    guard let metadata, let table = regions[VHDX.tableRegion] else { return }
    var taken = regions.values + tables.others
    if let log = header?.logRange, !log.isEmpty { taken.append(log) }
    var blocks = VHDXTableCheck(file, metadata, table, taken)
    try blocks.run()
    findings += blocks.findings
    findings += try blocks.unclaimed()
  }

  /// Checks the signature, and what must be empty in the first MiB.
  private mutating func checkStart() throws {
    if try !VHDXImage.recognizes(source) {
      findings.append(Finding(.refusal, FormatError("VHDX file", at: 0, .badMagic)))
    }
    // What is no structure's is left to nobody's use, so it is only worth knowing.
    let gaps: [Range<UInt64>] = [
      520..<64 << 10, (68 << 10)..<128 << 10, (132 << 10)..<192 << 10, (320 << 10)..<1 << 20,
    ]
    for gap in gaps where gap.upperBound <= source.size {
      let bytes = try source.bytes(gap.count, at: gap.lowerBound) ?? []
      if !Zeros.isZero(bytes.span), let index = bytes.firstIndex(where: { $0 != 0 }) {
        findings.append(
          Finding(
            .note, "VHDX file", at: gap.lowerBound + UInt64(index),
            "a byte that belongs to no structure is not zero"))
      }
    }
  }

  /// Checks the log.
  ///
  /// - Returns: The file with the log replayed; as it is where that cannot be done.
  private mutating func checkLog(_ header: VHDXHeader?) throws -> any BlockSource {
    guard let header, header.log != .zero else { return source }
    let log: VHDXLog
    do {
      log = try VHDXLog(of: source, header)
    } catch let error as FormatError {
      findings.append(Finding(.refusal, error))
      findings.append(
        Finding(
          .note, "VHDX log", at: header.logRange.lowerBound,
          "everything else is judged as if there were no log"))
      return source
    }
    let place = header.logRange.lowerBound
    let entries = log.entryCount == 1 ? "1 entry" : "\(log.entryCount) entries"
    findings.append(
      Finding(
        .problem, "VHDX log", at: place,
        "in use: changes in \(entries) have not come to their places in the file"))
    if let torn = log.torn {
      findings.append(
        Finding(
          .problem, "VHDX log", at: torn, "the newest entry is not whole: what it changes is lost"))
    }
    if source.size < log.fileByteCount {
      findings.append(
        Finding(
          .note, "VHDX log", at: place,
          "the file will have \(log.fileByteCount) bytes once it is replayed"))
    }
    return VHDXReplayed(source, log)
  }
}
