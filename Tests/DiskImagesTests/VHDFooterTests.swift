import Bytes
import DiskImages
import Testing

struct VHDFooterTests {
  /// Sizes with what the specification's algorithm gives, and the checksum of the whole footer as
  /// an independent program computed it.
  static let golden: [(size: UInt64, geometry: VHDGeometry, checksum: UInt32)] = [
    (1 << 20, VHDGeometry(cylinders: 30, heads: 4, sectors: 17), 0xffff_f105),
    (10 << 20, VHDGeometry(cylinders: 301, heads: 4, sectors: 17), 0xffff_efd5),
    (100 << 20, VHDGeometry(cylinders: 1003, heads: 12, sectors: 17), 0xffff_efc1),
    (504 << 20, VHDGeometry(cylinders: 1024, heads: 16, sectors: 63), 0xffff_efc7),
    (1 << 30, VHDGeometry(cylinders: 2080, heads: 16, sectors: 63), 0xffff_f061),
    (8 << 30, VHDGeometry(cylinders: 16644, heads: 16, sectors: 63), 0xffff_f0c0),
    (32 << 30, VHDGeometry(cylinders: 16448, heads: 16, sectors: 255), 0xffff_efb9),
    (136_365_211_648, VHDGeometry(cylinders: 65278, heads: 16, sectors: 255), 0xffff_ec8f),
    (128 << 30, VHDGeometry(cylinders: 65535, heads: 16, sectors: 255), 0xffff_ee0b),
    (1 << 40, VHDGeometry(cylinders: 65535, heads: 16, sectors: 255), 0xffff_ee49),
    (2040 << 30, VHDGeometry(cylinders: 65535, heads: 16, sectors: 255), 0xffff_ec4d),
  ]

  @Test(arguments: golden.indices)
  func `geometry and checksum are what other programs compute`(index: Int) {
    let expected = VHDFooterTests.golden[index]
    #expect(VHDGeometry(specifiedFor: expected.size) == expected.geometry)
    var footer = Images.footer(.fixed, expected.size)
    footer.timestamp = 0
    footer.geometry = expected.geometry
    #expect(footer.computedChecksum == expected.checksum)
  }

  @Test func `the geometry that is written never tells a smaller size`() {
    for sectors in [2, 2048, 2049, 20480, 1_032_192, 266_338_304, 266_338_305, 1 << 36] as [UInt64]
    {
      let geometry = VHDGeometry(writtenFor: sectors * 512)
      #expect(geometry == .most || geometry.byteCount == sectors * 512)
    }
    #expect(VHDGeometry(writtenFor: 504 << 20) == VHDGeometry(specifiedFor: 504 << 20))
  }

  @Test func `what is built is parsed again`() throws {
    for kind in [VHDFooter.Kind.fixed, .dynamic] {
      var footer = Images.footer(kind, 123 << 20)
      footer.reserved[426] = 7
      footer.savedState = 1
      footer.checksum = footer.computedChecksum
      #expect(footer.bytes.count == VHDFooter.byteCount)
      #expect(try VHDFooter(parsing: footer.bytes.span, at: 0) == footer)
    }
    var header = VHDDynamicHeader(tableOffset: 1536, entryCount: 17, blockByteCount: 2 << 20)
    header.locators[7].offset = 12345
    header.parentName[511] = 9
    header.reservedEnd[255] = 3
    header.checksum = header.computedChecksum
    #expect(header.bytes.count == VHDDynamicHeader.byteCount)
    #expect(try VHDDynamicHeader(parsing: header.bytes.span, at: 0) == header)
  }

  @Test func `every bit of a footer and of a header comes back`() throws {
    let footer = Images.footer(.dynamic, 1 << 30).bytes
    let header = VHDDynamicHeader(tableOffset: 1536, entryCount: 17, blockByteCount: 2 << 20).bytes
    for index in 8..<512 {
      var changed = footer
      changed[index] ^= 0xff
      #expect(try VHDFooter(parsing: changed.span, at: 0).bytes == changed)
    }
    for index in 8..<1024 {
      var changed = header
      changed[index] ^= 0xff
      #expect(try VHDDynamicHeader(parsing: changed.span, at: 0).bytes == changed)
    }
  }

  @Test func `a refusal names the structure, the byte and the value`() throws {
    var footer = Images.footer(.fixed, 1 << 20)
    footer.type = 9
    footer.checksum = footer.computedChecksum
    let error = #expect(throws: FormatError.self) {
      _ = try Images.read([UInt8](repeating: 0, count: 1 << 20) + footer.bytes)
    }
    #expect(error?.description == "VHD footer at byte 1048636: there is no type 9")
  }

  @Test func `creators are shown as text`() {
    #expect(VHDFooter.text(VHDFooter.fourCharacters("win ")) == "win ")
    #expect(VHDFooter.text(0x7661_0000) == "va")
    #expect(VHDFooter.text(0x1b5b_3441) == ".[4A")
    #expect(VHDFooter.text(0) == "")
  }
}
