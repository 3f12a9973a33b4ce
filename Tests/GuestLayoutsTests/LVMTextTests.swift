import Testing

@testable import GuestLayouts

struct LVMTextTests {
  static let group = """
    # a comment
    vg0 {
    id = "AAAAAA-0000-1111-2222-3333-4444-BBBBBB"
    seqno = 3
    extent_size = 8192		# 4 Megabytes
    physical_volumes {
    pv0 { id = "PV0" dev_size = 100000 pe_start = 2048 pe_count = 10 }
    pv1 { id = "PV-1" pe_start = 2048 pe_count = 10 }
    }
    logical_volumes {
    root { status = ["READ", "VISIBLE"] segment_count = 2
     segment1 { start_extent = 0 extent_count = 3 type = "striped" stripe_count = 1 stripes = ["pv0", 1] }
     segment2 { start_extent = 3 extent_count = 4 type = "striped" stripe_count = 2 stripe_size = 128 stripes = ["pv0", 6, "pv1", 0] }
    }
    }
    }
    contents = "Text Format Volume Group"
    """

  private func describe(_ text: String) throws -> GroupDescription {
    var name = ""
    return try GroupDescription(text, name: &name)
  }

  @Test func `a group is read`() throws {
    let group = try describe(LVMTextTests.group)
    #expect(group.name == "vg0")
    #expect(group.extentByteCount == 4 << 20)
    #expect(group.physicals["pv1"]?.uuid == "PV1")
    #expect(group.logicals.map(\.extentCount) == [7])
    #expect(group.logicals[0].segments[1].stripeByteCount == 65536)
  }

  @Test(arguments: [
    ("\"striped\" stripe_count = 1", "\"snapshot\" stripe_count = 1"),
    ("extent_count = 3", "extent_count = 30"),
    ("start_extent = 3", "start_extent = 4"), ("[\"pv0\", 1]", "[\"pv9\", 1]"),
    ("[\"pv0\", 1]", "[\"pv0\", -1]"),
    ("segment_count = 2", "segment_count = 3"), ("segment_count = 2", "segment_count = 999999999"),
    ("extent_size = 8192", "extent_size = 0"), ("extent_size = 8192", "extent_size = 99999999999"),
    ("stripe_size = 128", "stripe_size = 0"), ("stripe_size = 128", "stripe_size = 127"),
    ("stripe_count = 2", "stripe_count = 0"),
    ("extent_count = 4", "extent_count = 5"), ("contents =", "} contents ="),
    ("seqno = 3", "seqno = 3 seqno = 4"),
    ("seqno = 3", "seqno = [[[[[[[[[[[[[[[[[[[[[3]]]]]]]]]]]]]]]]]]]]]"),
    ("seqno = 3", "seqno = \"3"), ("seqno = 3", "seqno"),
    ("seqno = 3", "seqno = 99999999999999999999999"),
    ("pe_start = 2048 pe_count = 10 }", "pe_start = 9223372036854775807 pe_count = 10 }"),
  ])
  func `what is not understood is refused`(old: String, new: String) throws {
    let text = LVMTextTests.group.split(separator: old, maxSplits: 1).joined(separator: new)
    #expect(text != LVMTextTests.group)
    #expect(throws: LVMText.Problem.self) { try describe(text) }
  }

  @Test func `no cut text is taken for a whole one`() throws {
    let bytes = Array(LVMTextTests.group.utf8)
    let end = LVMTextTests.group.utf8.count - "contents = \"Text Format Volume Group\"".utf8.count
    for count in 0..<end - 2 {
      let text = String(decoding: bytes[0..<count], as: UTF8.self)
      #expect(throws: LVMText.Problem.self, "\(count)") { try describe(text) }
    }
  }

  @Test func `pieces of an area lie where their stripes do`() {
    var placement = Placement()
    placement.append(100, [Placement.Place(disk: 0, offset: 1000)], stripeByteCount: 100)
    placement.append(
      80, [Placement.Place(disk: 1, offset: 0), Placement.Place(disk: 0, offset: 5000)],
      stripeByteCount: 10)
    var places: [String] = []
    placement.forEachPlace(of: 90..<135) {
      places.append("\($0):\($1.lowerBound)-\($1.upperBound)")
    }
    #expect(places == ["0:1090-1100", "1:0-10", "0:5000-5010", "1:10-20", "0:5010-5015"])
    #expect(placement.byteCount == 180)
  }
}
