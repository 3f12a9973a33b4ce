internal import Blocks
internal import Bytes

/// Finds the one field of a structure that was damaged, with the structure's checksum as the proof.
///
/// For each field there are few values that it can have. When one of them makes the stored checksum
/// right, the structure is as it was; when all fields are sound as they are, the checksum itself is
/// what was damaged.
struct VHDMending {
  /// What a field could have been.
  struct Candidate {
    let field: String
    let place: Int
    let bytes: [UInt8]
  }

  /// Says that a checksum was made anew.
  static let resealedText = "its checksum fits its fields, which are all possible"

  private let bytes: [UInt8]
  private let checksumPlace: Int

  /// - Parameters:
  ///   - bytes: The structure.
  ///   - checksumPlace: Where in it its checksum stands.
  init(_ bytes: [UInt8], checksumPlace: Int) {
    self.bytes = bytes
    self.checksumPlace = checksumPlace
  }

  private static func isRight(_ bytes: [UInt8], _ place: Int) -> Bool {
    var copy = bytes
    copy.replaceSubrange(place..<place + 4, with: [0, 0, 0, 0])
    return vhdChecksum(copy) == bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// The structure as it was, and what was wrong with it; nil when nothing proves that.
  func best(
    _ candidates: [Candidate], _ problems: ([UInt8]) -> Int
  ) -> (bytes: [UInt8], text: String)? {
    let resealed = resealed()
    let count = problems(resealed)
    if let found = mended(candidates, problems), problems(found.bytes) <= count { return found }
    return count == 0 ? (resealed, VHDMending.resealedText) : nil
  }

  /// The structure with one field as it was, and which one; nil when none is it.
  ///
  /// - Parameter problems: How much can be said against a structure. Several values of one field may
  ///   have the same sum; the one that is least wrong is it.
  private func mended(
    _ candidates: [Candidate], _ problems: ([UInt8]) -> Int
  ) -> (bytes: [UInt8], text: String)? {
    var best: (problems: Int, bytes: [UInt8], text: String)?
    for candidate in candidates {
      var copy = bytes
      copy.replaceSubrange(
        candidate.place..<candidate.place + candidate.bytes.count, with: candidate.bytes)
      guard copy != bytes, VHDMending.isRight(copy, checksumPlace) else { continue }
      let count = problems(copy)
      guard count < best?.problems ?? Int.max else { continue }
      best = (count, copy, "its \(candidate.field) is as it was: the checksum proves it")
    }
    return best.map { ($0.bytes, $0.text) }
  }

  /// The structure with a checksum that fits.
  func resealed() -> [UInt8] {
    var copy = bytes
    copy.replaceSubrange(checksumPlace..<checksumPlace + 4, with: [0, 0, 0, 0])
    let checksum = vhdChecksum(copy)
    for index in 0..<4 {
      copy[checksumPlace + index] = UInt8(truncatingIfNeeded: checksum >> UInt32((3 - index) * 8))
    }
    return copy
  }
}

extension VHDMending.Candidate {
  init(_ field: String, _ place: Int, _ value: some FixedWidthInteger) {
    self.init(
      field: field, place: place,
      bytes: stride(from: value.bitWidth - 8, through: 0, by: -8).map {
        UInt8(truncatingIfNeeded: value >> $0)
      })
  }
}

extension VHDFooter {
  /// A footer whose checksum is wrong, as it was before; nil where nothing proves that.
  ///
  /// - Parameters:
  ///   - bytes: 512 bytes.
  ///   - place: Where the file's footer starts.
  ///   - other: The other footer's bytes, right or wrong.
  static func mended(
    _ bytes: [UInt8], place: UInt64, other: [UInt8]?
  ) -> (bytes: [UInt8], text: String)? {
    typealias Candidate = VHDMending.Candidate
    let mending = VHDMending(bytes, checksumPlace: 64)
    var candidates = [
      Candidate(field: "signature", place: 0, bytes: VHDImage.cookie),
      Candidate("features", 8, UInt32(2)), Candidate("version", 12, UInt32(0x0001_0000)),
      Candidate("header offset", 16, UInt64.max), Candidate("header offset", 16, UInt64(512)),
      Candidate("creator system", 36, fourCharacters("Wi2k")),
      Candidate("original size", 40, big64(bytes, 48)), Candidate("size", 48, big64(bytes, 40)),
      Candidate("original size", 40, place), Candidate("size", 48, place),
      Candidate("type", 60, Kind.fixed.rawValue), Candidate("type", 60, Kind.dynamic.rawValue),
      Candidate("type", 60, Kind.differencing.rawValue), Candidate("saved state", 84, UInt8(0)),
      Candidate(field: "reserved bytes", place: 85, bytes: [UInt8](repeating: 0, count: 427)),
    ]
    for size in [big64(bytes, 48), big64(bytes, 40)] {
      for geometry in [VHDGeometry.most, VHDGeometry(specifiedFor: size)] {
        candidates.append(Candidate("cylinders", 56, geometry.cylinders))
        candidates.append(Candidate("heads", 58, geometry.heads))
        candidates.append(Candidate("sectors", 59, geometry.sectors))
      }
    }
    if let other, other.count == bytes.count {
      // Its copy may be damaged as well, at another place.
      for (start, count) in [(24, 4), (28, 4), (32, 4), (36, 4), (40, 8), (48, 8), (68, 16)] {
        candidates.append(
          Candidate(field: "field", place: start, bytes: Array(other[start..<start + count])))
      }
    }
    let problems: ([UInt8]) -> Int = { VHDFooter.problems($0, place) }
    return mending.best(candidates, problems)
  }

  /// How much can be said against a footer and against its file's length.
  private static func problems(_ bytes: [UInt8], _ place: UInt64) -> Int {
    do {
      let footer = try VHDFooter(parsing: bytes.span, at: place)
      let isLong = footer.kind == .fixed && footer.size != place
      let findings = footer.findings(at: place).filter { $0.severity.isProblem }
      return findings.count + (isLong ? 1 : 0)
    } catch {
      return Int.max
    }
  }

  private static func big64(_ bytes: [UInt8], _ place: Int) -> UInt64 {
    bytes.span.big64(at: place)
  }
}

extension VHDDynamicHeader {
  /// A header whose checksum is wrong, as it was before; nil where nothing proves that.
  ///
  /// - Parameters:
  ///   - bytes: 1,024 bytes.
  ///   - footer: The disk's footer, which is sound.
  ///   - fileByteCount: The file's length up to its footer.
  static func mended(
    _ bytes: [UInt8], _ footer: VHDFooter, fileByteCount: UInt64
  ) -> (bytes: [UInt8], text: String)? {
    typealias Candidate = VHDMending.Candidate
    func zeros(_ field: String, _ place: Int, _ count: Int) -> Candidate {
      Candidate(field: field, place: place, bytes: [UInt8](repeating: 0, count: count))
    }
    let mending = VHDMending(bytes, checksumPlace: 36)
    var candidates = [
      Candidate(field: "signature", place: 0, bytes: Array("cxsparse".utf8)),
      Candidate("next", 8, UInt64.max), Candidate("next", 8, UInt64(0xffff_ffff)),
      Candidate("table offset", 16, footer.headerOffset + UInt64(byteCount)),
      Candidate("version", 24, UInt32(0x0001_0000)), zeros("reserved field", 60, 4),
      zeros("reserved bytes", 768, 256),
    ]
    for shift in 9...28 { candidates.append(Candidate("block size", 32, UInt32(1) << shift)) }
    let block = UInt64(bytes.span.big64(at: 28) & 0xffff_ffff)
    if block > 0 {
      let needed = footer.size / block + (footer.size % block == 0 ? 0 : 1)
      for count in [needed, needed + 1] {
        candidates.append(Candidate("entry count", 28, UInt32(truncatingIfNeeded: count)))
      }
    }
    if footer.kind == .dynamic {
      candidates += [
        zeros("parent identifier", 40, 16), zeros("parent's time", 56, 4),
        zeros("parent's name", 64, 512),
      ]
    }
    for index in 0..<8 {
      for (place, count) in [(0, 24), (0, 4), (4, 4), (8, 4), (12, 4), (16, 8)] {
        candidates.append(zeros("locator", 576 + 24 * index + place, count))
      }
    }
    let problems: ([UInt8]) -> Int = { VHDDynamicHeader.problems($0, footer, fileByteCount) }
    return mending.best(candidates, problems)
  }

  /// How much can be said against a header.
  private static func problems(
    _ bytes: [UInt8], _ footer: VHDFooter, _ fileByteCount: UInt64
  ) -> Int {
    do {
      let header = try VHDDynamicHeader(parsing: bytes.span, at: footer.headerOffset)
      return header.findings(
        at: footer.headerOffset, footer: footer, fileByteCount: fileByteCount
      ).filter { $0.severity.isProblem }.count
    } catch {
      return Int.max
    }
  }
}
