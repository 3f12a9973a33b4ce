public import Blocks
internal import Bytes

/// The formats that can be checked and repaired, not only read.
public enum CheckedFormat: String, CaseIterable, Sendable {
  case vhd
  case vhdx

  /// The format of `source`, be it damaged; nil where it is neither.
  ///
  /// - Throws: `FormatError` where it could be both: the disk inside a fixed VHD may begin as anything.
  public static func recognize(_ source: any BlockSource) throws -> CheckedFormat? {
    let isVHD: Bool
    do {
      isVHD = try VHDImage.recognizes(source)
    } catch is FormatError {
      isVHD = true
    }
    let isVHDX = try VHDXCheck.recognizes(source)
    guard !isVHD || !isVHDX else {
      throw FormatError(
        "image", at: 0,
        .ambiguous("looks like vhd and like vhdx", hint: "--format says which it is"))
    }
    return isVHD ? .vhd : isVHDX ? .vhdx : nil
  }

  /// The format that a structure belongs to: its name begins with the format's.
  ///
  /// - Parameter structure: Of a `FormatError`: `VHD footer`.
  public init?(structure: String) {
    let word = structure.prefix { $0 != " " }
    guard let format = CheckedFormat.allCases.first(where: { $0.rawValue.uppercased() == word })
    else { return nil }
    self = format
  }

  /// The structures that a check looks at.
  public var structures: [String] {
    switch self {
    case .vhd: VHDCheck.structures
    case .vhdx: VHDXCheck.structures
    }
  }

  /// Everything that is wrong with the image in `source`, with its place, and what is worth knowing.
  ///
  /// - Parameter now: Seconds since 1970.
  /// - Throws: `FormatError` when it is no such image, `SourceError` when it cannot be read.
  public func findings(in source: any BlockSource, now: Int64) throws -> [Finding] {
    switch self {
    case .vhd: try VHDCheck.findings(in: source, now: now)
    case .vhdx: try VHDXCheck.findings(in: source)
    }
  }
}
