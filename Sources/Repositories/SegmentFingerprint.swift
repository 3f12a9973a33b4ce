internal import Blocks
internal import Bytes
internal import Codecs

/// The holes of a segment that are more than zeros: neighbours of one kind are one.
struct OddHoles: Equatable {
  private(set) var holes: [(range: Range<Int>, kind: HoleKind)] = []

  /// Takes up the next run; those of data and of zeros count as each other.
  mutating func add(_ range: Range<Int>, _ kind: HoleKind?) {
    guard let kind, kind != .zero, !range.isEmpty else { return }
    if let last = holes.last, last.kind == kind, last.range.upperBound == range.lowerBound {
      holes[holes.count - 1].range = last.range.lowerBound..<range.upperBound
    } else {
      holes.append((range, kind))
    }
  }

  static func == (first: OddHoles, second: OddHoles) -> Bool {
    first.holes.elementsEqual(second.holes) { $0 == $1 }
  }
}

extension Segment {
  var oddHoles: OddHoles {
    var holes = OddHoles()
    for run in runs {
      if case .hole(let kind) = run.content { holes.add(run.range, kind) }
    }
    return holes
  }
}

extension MapLeaf {
  var oddHoles: OddHoles {
    var holes = OddHoles()
    var position = 0
    for run in runs {
      if case .hole(let kind) = run.content { holes.add(position..<position + run.count, kind) }
      position += run.count
    }
    return holes
  }
}

extension Fingerprinter {
  /// The fingerprint of a segment: of its bytes, holes taken as zeros, and then of the holes that are more than zeros.
  ///
  /// A disk's file may be excluded one day and written as zeros the next: the same bytes mean something else then.
  /// docs/repository-format.md, "Maps".
  ///
  /// - Returns: nil when not all of its plain bytes are there, or some could not be read: those
  ///   must be tried again, whatever they were taken for.
  func fingerprint(of segment: Segment) -> UInt128? {
    for run in segment.runs {
      switch run.content {
      case .data, .chunk(_, .plain, run.range.count): continue
      case .hole(let kind):
        if kind == .bad || kind == .unchanged { return nil }
      case .chunk: return nil
      }
    }
    let buffer = segment.buffer
    for run in segment.runs {
      if case .hole = run.content {
        updateZeros(run.range.count)
      } else {
        update(buffer.span(run.range))
      }
    }
    var described = ByteBuilder(.little)
    for hole in segment.oddHoles.holes {
      described.u32(UInt32(hole.kind.rawValue))
      described.u32(UInt32(hole.range.lowerBound))
      described.u32(UInt32(hole.range.count))
    }
    let bytes = described.bytes
    if !bytes.isEmpty { update(bytes.span) }
    return finish()
  }
}
