import Testing

@testable import GuestLayouts

struct PathPatternTests {
  /// Whether a path, names parted by slashes, is excluded by the patterns.
  private func excludes(
    _ patterns: [String], _ path: String, _ rule: NameRule = .exact
  ) throws -> Bool {
    var exclusions = Exclusions()
    for pattern in patterns { try exclusions.add(pattern) }
    var progress = Exclusions.Progress(exclusions)
    for name in path.split(separator: "/") {
      progress = progress.into(NameText(Array(name.utf8), rule), rule)
    }
    return progress.isExcluded
  }

  @Test(arguments: [
    ("/var/cache/**", "/var/cache/apt/a.deb", true), ("/var/cache/**", "/var/cache", false),
    ("/var/cache", "/var/cache/apt/a.deb", true), ("/var/cache/**", "/srv/var/cache/a", false),
    ("/tmp/*", "/tmp/a", true), ("/tmp/*", "/tmp/a/b", true), ("/tmp/*.log", "/tmp/a/b.log", false),
    ("*.iso", "/srv/images/a.iso", true), ("*.iso", "/srv/a.ISO", false),
    ("*.iso", "/a.isox", false),
    ("/home/*/.cache/**", "/home/me/.cache/x", true),
    ("/home/*/.cache/**", "/home/a/b/.cache/x", false),
    ("/a/**/z", "/a/z", true), ("/a/**/z", "/a/b/c/z", true), ("/a/**/z", "/a/b/c/y", false),
    ("/a?c/[x-z]1", "/abc/y1", true), ("/a?c/[!x-z]1", "/abc/y1", false),
    ("/**", "/anything", true),
    ("/[]]", "/]", true), ("/a*b*c", "/aXbYbZc", true), ("/a*b*c", "/aXbYbZ", false),
    (#"/a\*"#, "/a*", true), (#"/a\*"#, "/ab", false), ("/é*", "/été", true),
  ])
  func `patterns match paths`(pattern: String, path: String, matches: Bool) throws {
    #expect(try excludes([pattern], path) == matches)
  }

  @Test(arguments: [
    #"C:\Windows\Temp\**"#, "/Windows/Temp/**", "c:/windows/temp/**", #"\WINDOWS\temp"#,
  ])
  func `Windows paths are written in either way`(pattern: String) throws {
    #expect(try excludes([pattern], "/Windows/Temp/a.tmp", .ignoringCase))
    #expect(try excludes([pattern], "/WINDOWS/TEMP/x/A.TMP", .ignoringCase))
    #expect(try !excludes([pattern], "/Windows/Tempo/a", .ignoringCase))
  }

  @Test func `case counts beyond ASCII where it does`() throws {
    #expect(try excludes(["/Öl/**"], "/öL/x", .ignoringCase))
    #expect(try !excludes(["/Öl/**"], "/öl/x", .exact))
  }

  @Test(arguments: ["", "/", "//", "/a[b", "[", String(repeating: "/a", count: 65)])
  func `what is no pattern is refused`(text: String) {
    #expect(throws: PathPattern.Problem.self) { try PathPattern(text) }
  }

  @Test func `every known set is made of patterns`() throws {
    for set in Exclusions.sets {
      for pattern in set.patterns { _ = try PathPattern(pattern) }
    }
  }

  @Test func `a pattern of many runs takes no time that grows without bounds`() throws {
    let name = String(repeating: "a", count: 5000) + "b"
    #expect(try !excludes(["/" + String(repeating: "*a", count: 60) + "*c"], "/" + name))
  }

  @Test func `what cannot match any more is not looked into`() throws {
    var exclusions = Exclusions()
    try exclusions.add("/var/cache/**")
    let root = Exclusions.Progress(exclusions)
    #expect(root.into(NameText(Array("var".utf8), .exact), .exact).isOpen)
    #expect(!root.into(NameText(Array("usr".utf8), .exact), .exact).isOpen)
  }

  @Test func `bytes that are no UTF-8 match no sign of a pattern`() throws {
    let names: [[UInt8]] = [[0x61, 0xE9], [0x61, 0xE8], Array("a\u{FFFD}".utf8)]
    for (pattern, matching) in [
      ("/a\u{FFFD}", [2]), ("/a?", [0, 1, 2]), ("/a*", [0, 1, 2]), ("/a[\u{FFFD}]", [2]),
    ] {
      var exclusions = Exclusions()
      try exclusions.add(pattern)
      for rule in [NameRule.exact, .ignoringCase] {
        let found = names.indices.filter {
          Exclusions.Progress(exclusions).into(NameText(names[$0], rule), rule).isExcluded
        }
        #expect(found == matching)
      }
    }
  }
}
