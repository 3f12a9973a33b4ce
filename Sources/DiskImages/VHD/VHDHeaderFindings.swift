internal import Bytes

/// What is wrong with a dynamic header's fields, each judged by itself and against the footer.
extension VHDDynamicHeader {
  /// - Parameters:
  ///   - base: The header's place in the file, in bytes.
  ///   - footer: The disk's footer.
  ///   - fileByteCount: The file's length up to its footer.
  /// - Returns: What is wrong, and what is worth knowing.
  func findings(at base: UInt64, footer: VHDFooter, fileByteCount: UInt64) -> [Finding] {
    var list = FindingList("VHD dynamic header", at: base)
    let computed = computedChecksum
    if checksum != computed {
      list.add(
        .refusal, at: 36,
        .badChecksum(stored: UInt64(checksum), computed: UInt64(computed)))
    }
    if version >> 16 != 1 { list.add(.refusal, at: 24, .unsupported("version \(version >> 16)")) }
    list.expect(version & 0xffff == 0, at: 24, "minor version \(version & 0xffff) does not exist")
    // The specification's own text has 32 bits of ones, and some writers follow it.
    list.expect(next == .max || next == 0xffff_ffff, at: 8, "another header at \(next)")
    list.expect(next != 0xffff_ffff, .note, at: 8, "only half of the 64 bits of ones are set")
    judgeTable(&list, footer, fileByteCount)
    list.expect(reserved == 0, at: 60, "a reserved field is not zero")
    if let index = reservedEnd.firstIndex(where: { $0 != 0 }) {
      list.add(.problem, at: 768 + UInt64(index), .impossible("a reserved byte is not zero"))
    }
    judgeParent(&list, footer, fileByteCount)
    return list.findings
  }

  private func judgeTable(
    _ list: inout FindingList, _ footer: VHDFooter, _ fileByteCount: UInt64
  ) {
    let block = UInt64(blockByteCount)
    guard block >= 512, block & (block - 1) == 0, block <= VHDLimits.blockByteCount else {
      list.add(.refusal, at: 32, .impossible("block size \(block) is not possible"))
      return
    }
    list.expect(
      block == 2 << 20 || block == 512 << 10, .note, at: 32, "unusual block size \(block)")
    let needed = footer.size / block + (footer.size % block == 0 ? 0 : 1)
    list.expect(
      needed <= VHDLimits.entryCount, .refusal, at: 32,
      "\(needed) blocks are beyond the limit of \(VHDLimits.entryCount)")
    list.expect(
      UInt64(entryCount) >= needed, .refusal, at: 28,
      "the table has \(entryCount) entries, the disk \(needed) blocks")
    // qemu counts one too many where the size is a multiple of the block size.
    list.expect(
      UInt64(entryCount) <= needed + 1, .note, at: 28,
      "the table has \(entryCount) entries, the disk only \(needed) blocks")
    list.expect(
      tableOffset % 512 == 0, at: 16, "table offset \(tableOffset) is not at a sector's start")
    list.expect(
      tableOffset <= fileByteCount
        && tableByteCount <= fileByteCount - min(tableOffset, fileByteCount),
      .refusal, at: 16, "the table at \(tableOffset) goes beyond the file's end")
  }

  private func judgeParent(
    _ list: inout FindingList, _ footer: VHDFooter, _ fileByteCount: UInt64
  ) {
    let hasIdentifier = parentIdentifier.contains { $0 != 0 }
    if footer.kind == .differencing {
      list.expect(hasIdentifier, at: 40, "the parent's identifier is zero")
      list.expect(parentIdentifier != footer.identifier, at: 40, "the disk is its own parent")
      list.expect(parentName.contains { $0 != 0 }, .note, at: 64, "the parent has no name")
      judgeLocators(&list, fileByteCount)
      return
    }
    list.expect(!hasIdentifier, at: 40, "a dynamic disk names a parent")
    list.expect(parentTimestamp == 0, at: 56, "a dynamic disk has a parent's time")
    if let index = parentName.firstIndex(where: { $0 != 0 }) {
      list.add(.problem, at: 64 + UInt64(index), .impossible("a dynamic disk has a parent's name"))
    }
    for (index, locator) in locators.enumerated() where locator != VHDParentLocator() {
      list.add(
        .problem, at: 576 + UInt64(index) * 24, .impossible("a dynamic disk locates a parent"))
    }
  }

  private func judgeLocators(_ list: inout FindingList, _ fileByteCount: UInt64) {
    for (index, locator) in locators.enumerated() where locator.platform != 0 {
      let place = 576 + UInt64(index) * 24
      list.expect(
        locator.offset <= fileByteCount
          && UInt64(locator.byteCount) <= fileByteCount - min(locator.offset, fileByteCount),
        at: place + 16, "the parent's path at \(locator.offset) goes beyond the file's end")
      list.expect(locator.reserved == 0, at: place + 12, "a reserved field is not zero")
    }
  }
}
