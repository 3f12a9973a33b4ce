import Auditing
import Blocks
import Bytes
import Platform
import TestSupport
import Testing

@testable import GuestLayouts

/// Real file systems, and layouts whose map of free space is wrong on purpose.
@Suite(.serialized) struct AuditTests {
  /// What is wrong about a map.
  enum Fault: String, CaseIterable, Sendable {
    case none
    /// Every bit is taken for its neighbour's.
    case offByOne = "off by one"
    /// The bits of each byte are read from the wrong end.
    case reversed = "reversed"
    /// The map is not read at all: all but the start is taken for free.
    case cleared
  }

  @Test(arguments: TestImage.allCases, Fault.allCases)
  func `a wrong map is found out, a right one passes`(image: TestImage, fault: Fault) throws {
    let scratch = try Scratch()
    guard let path = try image.make(in: scratch.path) else {
      // Said, not hidden: the tools for this file system are not here.
      print("skipped: \(image.rawValue): its tools are not installed")
      return
    }
    let (checks, isWrong) = try audit(try FileSource(path), fault, scratch.path)
    let failed = checks.filter(\.hasFailed)
    // Where what is in use ends with a byte of the map, it reads the same from both ends.
    #expect(isWrong == (fault != .none) || fault == .reversed)
    if isWrong {
      #expect(!failed.isEmpty, "\(image.rawValue), \(fault.rawValue): \(checks)")
    } else {
      #expect(failed.isEmpty, "\(failed)")
    }
  }

  /// What an audit says, and whether the map calls free what is not and holds something: zeros of
  /// an unused inode table may be left out without a loss.
  private func audit(
    _ disk: any BlockSource, _ fault: Fault, _ folder: String
  ) throws -> (checks: [AuditCheck], isWrong: Bool) {
    let layout = MachineLayout(of: [disk])
    var faulty = layout
    let system = try #require(layout.volumes[0].finding?.fileSystem, "\(layout.disks[0].warnings)")
    faulty.volumes[0].contents[0].fileSystem = FaultyFileSystem(system, fault)
    let plan = SkipPlan(faulty, kinds: [.free])
    let free = try #require(plan.skipped[0][.free], "\(plan.warnings)")
    let right = try #require(SkipPlan(layout, kinds: [.free]).skipped[0][.free])
    #expect(free.byteCount > 1 << 20)
    let audit = Audit(
      layout, originals: [disk], copies: [HoledSource(disk, holes: free)], holes: [[.free: free]],
      files: [], names: ["disk"], folder: folder)
    var checks: [AuditCheck] = []
    try audit.run { checks.append($0) }
    let lost = free.ranges.flatMap { right.gaps(in: $0) }
    let isWrong = try lost.contains { range in
      try disk.bytes(Int(range.upperBound - range.lowerBound), at: range.lowerBound)?
        .contains { $0 != 0 } ?? false
    }
    return (checks, isWrong)
  }

  // MARK: What an audit must not pass

  /// The checks of an audit of a disk of which `holes` were left out.
  private func checks(
    _ disk: any BlockSource, _ holes: [HoleKind: [Range<UInt64>]], _ folder: String,
    files: [LeftOutRange] = [], hasOriginal: Bool = true
  ) throws -> [AuditCheck] {
    let copy = HoledSource(disk, holes: ExtentSet(holes.values.flatMap(\.self)))
    let audit = Audit(
      MachineLayout(of: [hasOriginal ? disk : copy]), originals: hasOriginal ? [disk] : nil,
      copies: [copy], holes: [holes.mapValues { ExtentSet($0) }], files: files, names: ["disk"],
      folder: folder)
    var checks: [AuditCheck] = []
    try audit.run { checks.append($0) }
    return checks
  }

  /// Where a file of an image lies, and the problems of an audit that mention its path.
  private func ranges(_ path: String, _ disk: any BlockSource) throws -> [Range<UInt64>] {
    let system = try #require(MachineLayout(of: [disk]).volumes[0].finding?.fileSystem)
    let tree = try #require(try system.files())
    let file = try #require(try tree.find(path.utf8.split(separator: 0x2F).map { Array($0) }))
    return try tree.extents(of: file).map(\.range)
  }

  private func problems(_ checks: [AuditCheck], _ name: String) -> [String] {
    checks.flatMap { check -> [String] in
      if check.name == name, case .failed(let problems) = check.outcome { problems } else { [] }
    }
  }

  @Test(arguments: [true, false])
  func `a file that was left out does not hide another one of its name`(hasOriginal: Bool) throws {
    let scratch = try Scratch()
    guard let path = try TestImage.ext4.make(in: scratch.path) else { return }
    let disk = try FileSource(path)
    let lost = try ranges("/vstore/Audit.swift", disk)
    let other = try ranges("/Auditing/Audit.swift", disk)
    let told = "/backup/vstore/Audit.swift"
    // The path fits, what was left out of it does not.
    let files = other.map { LeftOutRange(disk: 0, $0, path: told) }
    for kind in [HoleKind.free, .excluded] {
      let checks = try checks(
        disk, [kind: lost], scratch.path, files: files, hasOriginal: hasOriginal)
      #expect(problems(checks, "files").contains { $0.contains("/vstore/Audit.swift") })
    }
    let right = lost.map { LeftOutRange(disk: 0, $0, path: told) }
    let checks = try checks(
      disk, [.excluded: lost], scratch.path, files: right, hasOriginal: hasOriginal)
    #expect(checks.filter(\.hasFailed).isEmpty, "\(checks)")
  }

  @Test func `nothing may be left out where no file system is`() throws {
    let scratch = try Scratch()
    guard let path = try TestImage.ext4.make(in: scratch.path) else { return }
    let file = try FileDescriptor(path, .update)
    let end = try file.contentSize()
    try file.write([UInt8](repeating: 7, count: 65536).span, at: end)
    let disk = try FileSource(path)
    let checks = try checks(disk, [.free: [end..<end + 65536]], scratch.path)
    #expect(problems(checks, "places").contains { $0.hasPrefix("bytes \(end) to") })
  }

  @Test func `what is lost of a stream beside a file's content is found`() throws {
    let scratch = try Scratch()
    guard let path = try TestImage.ntfs.make(in: scratch.path) else { return }
    let big = try FileDescriptor("\(scratch.path)/big", .create)
    try big.write([UInt8](repeating: 7, count: 200_000))
    try big.close()
    let program = try #require(Command.path(of: "ntfscp"))
    let name = "BitRuns.swift"
    let copied = try Command.run(
      [program, "-f", "-N", "stream", path, "\(scratch.path)/big", name])
    #expect(copied.status == 0)
    let disk = try FileSource(path)
    // The stream's bytes are the only sevens.
    let size: UInt64 = 4096
    let clusters = try stride(from: 0, to: disk.size, by: Int(size)).filter {
      try disk.bytes(Int(size), at: $0)?.allSatisfy { $0 == 7 } == true
    }
    #expect(clusters.count == 48)
    let lost = clusters.map { $0..<$0 + size }
    for hasOriginal in [true, false] {
      let checks = try checks(disk, [.free: lost], scratch.path, hasOriginal: hasOriginal)
      #expect(problems(checks, "files").contains { $0.contains(name) }, "\(checks)")
    }
  }
}

/// A sparse file.
private final class FileSource: BlockSource {
  private let file: FileDescriptor
  let size: UInt64
  let sectorSize: UInt32 = 512

  init(_ path: String) throws {
    file = try FileDescriptor(path, .read)
    size = try file.contentSize()
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard try file.read(into: &bytes, at: offset) == bytes.count else {
      throw SourceError(offset..<offset + UInt64(bytes.count), .ended)
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try file.nextData(at: offset, size: size)
  }
}

/// A file system whose map is read wrongly.
private struct FaultyFileSystem: GuestFileSystem {
  private let base: any GuestFileSystem
  private let fault: AuditTests.Fault
  var byteCount: UInt64 { base.byteCount }
  var usedByteCount: UInt64? { base.usedByteCount }
  var fileDoubt: String? { base.fileDoubt }

  init(_ base: any GuestFileSystem, _ fault: AuditTests.Fault) {
    self.base = base
    self.fault = fault
  }

  func files() throws -> (any FileTree)? { try base.files() }

  func freeSpace() throws -> FreeSpace {
    let right = try base.freeSpace()
    let unit: UInt64 = 4096
    switch fault {
    case .none: return right
    case .offByOne:
      return space(right.extents.ranges.map { $0.lowerBound - unit..<$0.upperBound - unit })
    case .cleared:
      return space([16 * unit..<(right.extents.ranges.last?.upperBound ?? byteCount)])
    case .reversed:
      var set = ExtentSet()
      for range in right.extents.ranges {
        // Whole bytes of a bitmap are the same from either end.
        let first = (range.lowerBound + 8 * unit - 1) / (8 * unit) * (8 * unit)
        let last = range.upperBound / (8 * unit) * (8 * unit)
        if first < last { set.insert(first..<last) }
        for place in stride(from: range.lowerBound / unit, to: range.upperBound / unit, by: 1)
        where first >= last || !(first..<last).contains(place * unit) {
          let other = place / 8 * 8 + (7 - place % 8)
          set.insert(other * unit..<(other + 1) * unit)
        }
      }
      return space(set.ranges)
    }
  }

  private func space(_ ranges: [Range<UInt64>]) -> FreeSpace {
    var space = FreeSpace()
    for range in ExtentSet(ranges).ranges { space.add(range.clamped(to: 0..<byteCount)) }
    return space
  }
}
