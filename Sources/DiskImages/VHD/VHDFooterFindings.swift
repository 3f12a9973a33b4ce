internal import Blocks
internal import Bytes

/// What is wrong with a footer's fields, each judged by itself and against its neighbours.
///
/// The specification leaves a writer little freedom, so anything that no known writer does is a
/// problem; what known writers do beyond it is a note.
extension VHDFooter {
  /// - Parameters:
  ///   - base: The footer's place in the file, in bytes.
  ///   - structure: What to call it.
  ///   - now: Seconds since 1970, to tell times that lie in the future.
  /// - Returns: What is wrong, and what is worth knowing.
  func findings(at base: UInt64, structure: String = "VHD footer", now: Int64? = nil) -> [Finding] {
    var list = FindingList(structure, at: base)
    let computed = computedChecksum
    if checksum != computed {
      list.add(
        .refusal, at: 64,
        .badChecksum(stored: UInt64(checksum), computed: UInt64(computed)))
    }
    judgeFormat(&list)
    judgeOrigin(&list, now)
    judgeSize(&list)
    judgeGeometry(&list)
    list.expect(
      identifier.contains { $0 != 0 }, at: 68, "the identifier is zero")
    list.expect(
      savedState == 0, at: 84,
      savedState == 1
        ? "the machine was suspended: without its saved state the disk is not consistent"
        : "saved state \(savedState) is neither 0 nor 1")
    judgeReserved(&list)
    return list.findings
  }

  private func judgeFormat(_ list: inout FindingList) {
    if kind == nil { list.add(.refusal, at: 60, .impossible("there is no type \(type)")) }
    if version >> 16 != 1 { list.add(.refusal, at: 12, .unsupported("version \(version >> 16)")) }
    list.expect(version & 0xffff == 0, at: 12, "minor version \(version & 0xffff) does not exist")
    list.expect(features & 2 != 0, at: 8, "the feature bit that is always set is not")
    list.expect(features & 1 == 0, at: 8, "marked as a temporary disk")
    list.expect(features & ~3 == 0, at: 8, "unknown features 0x\(String(features, radix: 16))")
    if kind == .fixed {
      list.expect(headerOffset == .max, at: 16, "a fixed disk names a header at \(headerOffset)")
    } else if kind != nil {
      list.expect(
        headerOffset % 512 == 0, at: 16, "header offset \(headerOffset) is not at a sector's start")
    }
  }

  private func judgeOrigin(_ list: inout FindingList, _ now: Int64?) {
    if let now {
      list.expect(created <= now + 86400, at: 24, "made in the future")
    }
    list.expect(timestamp != 0, .note, at: 24, "no time of making")
    list.expect(
      VHDFooter.isText(creator), at: 28, "the creator is not text: \(VHDFooter.text(creator))")
    let system = creatorSystem
    let known = [VHDFooter.fourCharacters("Wi2k"), VHDFooter.fourCharacters("Mac ")]
    // blktap, and what is built on it, leaves the field empty.
    list.expect(
      known.contains(system) || system == 0, at: 36,
      "creator system \(VHDFooter.text(system)) does not exist")
  }

  private func judgeSize(_ list: inout FindingList) {
    list.expect(size > 0, .refusal, at: 48, "the size is 0")
    list.expect(size % 512 == 0, .refusal, at: 48, "size \(size) is not a multiple of 512")
    list.expect(
      size <= VHDLimits.readableSize, .refusal, at: 48,
      "size \(size) is beyond the limit of \(VHDLimits.readableSize)")
    list.expect(
      originalSize > 0 && originalSize % 512 == 0 && originalSize <= VHDLimits.readableSize,
      at: 40, "original size \(originalSize) is not possible")
    list.expect(
      originalSize == size, .note, at: 40, "the disk was resized from \(originalSize) bytes")
  }

  private func judgeGeometry(_ list: inout FindingList) {
    guard geometry != .most else { return }
    let covered = geometry.byteCount
    let usual =
      covered == size || geometry == VHDGeometry(specifiedFor: size)
      // Resizing need not touch the geometry.
      || geometry == VHDGeometry(specifiedFor: originalSize)
    // VirtualBox writes what its BIOS uses.
    let plausible =
      creator == VHDFooter.fourCharacters("vbox") && geometry.heads > 0 && geometry.sectors > 0
      && covered <= size
    list.expect(
      usual || plausible, at: 56,
      "geometry \(geometry) is neither exact nor \(VHDGeometry(specifiedFor: size)) as specified")
    if usual || plausible {
      list.expect(
        covered == size, .note, at: 56,
        "geometry \(geometry) covers \(covered) of \(size) bytes, which some readers take for the size"
      )
    }
  }

  private func judgeReserved(_ list: inout FindingList) {
    guard let index = reserved.firstIndex(where: { $0 != 0 }) else { return }
    // XenServer hides disks by the first of the reserved bytes.
    let hidden = index == 0 && creator == VHDFooter.fourCharacters("tap")
    let alone = !reserved.dropFirst().contains { $0 != 0 }
    if hidden && alone {
      list.add(.note, at: 85, .impossible("hidden, as XenServer marks it"))
    } else {
      list.add(.problem, at: 85 + UInt64(index), .impossible("a reserved byte is not zero"))
    }
  }

  private static func isText(_ characters: UInt32) -> Bool {
    var ended = false
    for shift: UInt32 in [24, 16, 8, 0] {
      let byte = UInt8(truncatingIfNeeded: characters >> shift)
      if byte == 0 { ended = true }
      guard ended ? byte == 0 : (0x20..<0x7f).contains(byte) else { return false }
    }
    return characters != 0
  }
}

/// The bounds that reading and writing keep to.
public enum VHDLimits {
  /// The largest disk that is read.
  public static let readableSize = VolumeHeader.sizeLimit
  /// The largest dynamic disk that is written, as Hyper-V and qemu know it: 2,040 GiB.
  public static let dynamicSize: UInt64 = 2040 << 30
  /// The largest fixed disk that is written.
  public static let fixedSize: UInt64 = 64 << 40
  /// The most blocks of a dynamic disk.
  ///
  /// The table then takes 64 MiB of memory; 2,040 GiB in blocks of 128 KiB stay below it.
  public static let entryCount: UInt64 = 1 << 24
  /// The largest block; Hyper-V makes 512 KiB and 2 MiB.
  public static let blockByteCount: UInt64 = 256 << 20
}
