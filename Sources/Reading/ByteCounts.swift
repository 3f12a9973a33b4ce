public import Blocks
internal import Bytes

/// How many bytes of a volume are data, and how many are each kind of hole.
public struct ByteCounts: Equatable, Sendable {
  public private(set) var data: UInt64 = 0
  public private(set) var holes: [HoleKind: UInt64] = [:]

  public init() {}

  /// Counts bytes of one kind; nil is data.
  public mutating func add(_ byteCount: UInt64, _ kind: HoleKind?) {
    if let kind { holes[kind, default: 0] += byteCount } else { data += byteCount }
  }

  /// Counts a loaded segment.
  public mutating func add(_ segment: Segment) {
    for run in segment.runs {
      if case .hole(let kind) = run.content {
        add(UInt64(run.range.count), kind)
      } else {
        add(UInt64(run.range.count), nil)
      }
    }
  }

  public mutating func add(_ span: HoleSpan) {
    add(span.range.upperBound - span.range.lowerBound, span.kind)
  }

  /// `3.20 GiB data, 50.0 GiB zero`.
  public var text: String {
    let kinds = HoleKind.allCases.compactMap { kind in
      holes[kind].map { "\(ByteSize.text($0)) \(kind.name)" }
    }
    return (["\(ByteSize.text(data)) data"] + kinds).joined(separator: ", ")
  }
}
