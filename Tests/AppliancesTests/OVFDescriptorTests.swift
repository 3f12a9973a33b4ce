import Bytes
import TestSupport
import Testing

@testable import Appliances

/// What an OVF says of a machine's disks.
struct OVFDescriptorTests {
  private func descriptor(_ files: String, _ disks: String) throws -> OVFDescriptor {
    try OVFDescriptor(
      parsing: Array(
        """
        <?xml version="1.0"?><Envelope xmlns="u" xmlns:ovf="u"><References>\(files)</References>
        <DiskSection>\(disks)</DiskSection></Envelope>
        """.utf8))
  }

  @Test func `files and disks, with prefixes and without`() throws {
    let found = try descriptor(
      #"<File ovf:id="a" ovf:href="a.vmdk" ovf:size="5"/><ovf:File id="b" href="b.vmdk"/>"#,
      #"<Disk diskId="2" fileRef="b" capacity="3" capacityAllocationUnits="byte * 2^10"/>"#
        + #"<ovf:Disk ovf:diskId="1" ovf:fileRef="a"/><Disk diskId="3" capacity="7"/>"#)
    #expect(found.files.map(\.name) == ["a.vmdk", "b.vmdk"])
    #expect(found.files[0].size == 5)
    // In the order of their files; empty ones at the end.
    #expect(found.disks.map(\.id) == ["1", "2", "3"])
    #expect(found.disks.map(\.capacity) == [nil, 3072, 7])
    #expect(found.disks[2].file == nil)
  }

  @Test(arguments: [
    "http://schemas.dmtf.org/ovf/envelope/1", "http://schemas.dmtf.org/ovf/envelope/2", "urn:other",
  ])
  func `what vendors add under their own names is theirs`(space: String) throws {
    let found = try OVFDescriptor(
      parsing: Array(
        """
        <Envelope xmlns="\(space)" xmlns:ovf="\(space)" xmlns:vendor="urn:vendor"><References>
        <File vendor:href="evil" ovf:id="a" ovf:href="a.vmdk" vendor:id="b" vendor:compression="x"/>
        <vendor:File ovf:id="v" ovf:href="v.vmdk"/></References>
        <DiskSection><Disk vendor:fileRef="v" ovf:diskId="1" ovf:fileRef="a" vendor:parentRef="2"/>
        <vendor:Disk ovf:diskId="2" ovf:fileRef="v"/></DiskSection>
        <vendor:DiskSection><Disk ovf:diskId="3" ovf:fileRef="a"/></vendor:DiskSection></Envelope>
        """.utf8))
    #expect(found.files.map(\.name) == ["a.vmdk"])
    #expect(found.disks.map(\.id) == ["1"])
    #expect(found.disks.map(\.file?.name) == ["a.vmdk"])
    #expect(found.disks.flatMap(\.sharers).isEmpty)
  }

  @Test func `an attribute that is there twice with two values is refused`() throws {
    #expect(throws: FormatError.self) {
      try descriptor("<File ovf:id='a' ovf:href='a' href='b'/>", "")
    }
    let found = try descriptor("<File ovf:id='a' ovf:href='a' href='a'/>", "")
    #expect(found.files.map(\.name) == ["a"])
  }

  @Test func `a prefix that stands for nothing is refused`() {
    #expect(throws: FormatError.self) { try descriptor("<File x:id='a' href='a'/>", "") }
  }

  @Test func `disks that begin with the content of one file are all known`() throws {
    let found = try descriptor(
      "<File id='a' href='a'/>",
      "<Disk diskId='1' fileRef='a'/><Disk diskId='2' fileRef='a' capacity='9'/>")
    #expect(found.disks.map(\.id) == ["1"])
    #expect(found.disks[0].sharers == ["2"])
  }

  @Test func `UTF-16 is read as well`() throws {
    let text = """
      \u{FEFF}<?xml version="1.0" encoding="UTF-16"?><Envelope><References>
      <File id="a" href="\u{E4}.vmdk"/></References></Envelope>
      """
    for isBig in [false, true] {
      let bytes = text.utf16.flatMap { unit in
        let pair = [UInt8(unit & 0xFF), UInt8(unit >> 8)]
        return isBig ? pair.reversed() : pair
      }
      #expect(try OVFDescriptor(parsing: bytes).files.map(\.name) == ["\u{E4}.vmdk"])
    }
  }

  @Test(arguments: [
    ("byte", 1), ("byte * 2^30", 1 << 30), ("byte*2^20", 1 << 20), ("Byte * 1024 * 2", 2048),
    ("byte * 10^3", 1000),
  ])
  func `units are products`(text: String, bytes: Int) {
    #expect(OVFDescriptor.unit(text) == UInt64(bytes))
  }

  @Test(arguments: [
    "", "GigaBytes", "byte * 2^64", "byte * 2^40 * 2^40", "byte * ", "byte * 2^3^4",
  ])
  func `other units are not guessed`(text: String) {
    #expect(OVFDescriptor.unit(text) == nil)
  }

  @Test(arguments: ["../a", "/a", "a/b", "", "..", "file:///a", "a\\b", "a\u{1}"])
  func `names that are no plain names are refused`(name: String) {
    #expect(throws: FormatError.self) { try descriptor("<File id='a' href='\(name)'/>", "") }
  }

  @Test(arguments: [
    "<File id='a' href='a'/><File id='a' href='b'/>",
    "<File id='a' href='a'/><File id='b' href='a'/>",
    "<File id='a'/>", "<File href='a'/>", "<File id='a' href='a' size='x'/>",
    "<File id='a' href='a' compression='zip'/>",
  ])
  func `references that make no sense are refused`(files: String) {
    #expect(throws: FormatError.self) { try descriptor(files, "") }
  }

  @Test(arguments: [
    "<Disk/>", "<Disk diskId='a' fileRef='b'/>", "<Disk diskId='a'/><Disk diskId='a'/>",
    "<Disk diskId='b'/><Disk diskId='a' parentRef='b'/>",
  ])
  func `disks that make no sense are refused`(disks: String) {
    #expect(throws: FormatError.self) { try descriptor("", disks) }
  }

  @Test func `every truncation is refused`() throws {
    let whole = Array("<Envelope><References><File id='a' href='a'/></References></Envelope>".utf8)
    _ = try OVFDescriptor(parsing: whole)
    for count in 0..<whole.count {
      #expect(throws: FormatError.self) { try OVFDescriptor(parsing: Array(whole[..<count])) }
    }
  }

  @Test func `noise is refused`() {
    var noise = Noise(7)
    for count in [0, 1, 100, 5000] {
      let bytes = noise.bytes(count)
      #expect(throws: FormatError.self) { try OVFDescriptor(parsing: bytes) }
    }
  }
}
