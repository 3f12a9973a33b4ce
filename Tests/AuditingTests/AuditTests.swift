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

  @Test func `copies of other sizes or in another number are told, and nothing more is looked at`()
    throws
  {
    let scratch = try Scratch()
    let disk = MemorySource([UInt8](repeating: 0, count: 2 << 20))
    let short = MemorySource([UInt8](repeating: 0, count: 1 << 20))
    let all = ExtentSet([0..<disk.size])
    for copies in [[short], [disk, short]] as [[any BlockSource]] {
      let audit = Audit(
        MachineLayout(of: [disk]), originals: [disk], copies: copies, holes: [[.free: all]],
        files: [], names: ["disk"], folder: scratch.path)
      var checks: [AuditCheck] = []
      try audit.run { checks.append($0) }
      #expect(checks.count == 1 && checks[0].name == "size" && checks[0].hasFailed, "\(checks)")
    }
  }

  /// What an audit says, and whether the map calls free what is not.
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
    return (checks, free.ranges.contains { !right.gaps(in: $0).isEmpty })
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
