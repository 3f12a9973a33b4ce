internal import Blocks
internal import Bytes
internal import Codecs

extension Fingerprinter {
  /// The fingerprint of a segment, holes taken as zeros.
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
    return finish()
  }
}
