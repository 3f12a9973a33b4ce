import Glibc
import Platform

@testable import DiskImages

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  Fuzz.run([UInt8](UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// Writes the seeds of the target that was chosen, where that is asked for.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _: UnsafePointer<CInt>?, _: UnsafePointer<UnsafePointer<UnsafePointer<CChar>?>?>?
) -> CInt {
  guard let folder = Environment.value("VPIPE_FUZZ_SEEDS") else { return 0 }
  do {
    for (number, seed) in try Fuzz.target.seeds().enumerated() {
      let path = "\(folder)/\(number)"
      if try Files.status(path) != nil { try Files.remove(path) }
      let file = try FileDescriptor(path, .create)
      try file.write(seed)
    }
  } catch {
    fatalError("\(error)")
  }
  exit(0)
}

/// One parser under test.
///
/// Checksums would hide a parser from the fuzzer. So an input's first byte says, where it is even,
/// that the harness is to make the others fit before they are parsed.
protocol FuzzTarget: Sendable {
  /// Must return, whatever the input; errors are swallowed by the caller.
  func run(_ input: [UInt8]) throws
  /// Makes checksums fit.
  func mended(_ input: [UInt8]) -> [UInt8]
  /// Good inputs, without the first byte.
  func samples() throws -> [[UInt8]]
}

extension FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] { input }

  func seeds() throws -> [[UInt8]] {
    try samples().flatMap { [[0] + $0, [1] + $0] }
  }
}

enum Fuzz {
  static let targets: [String: any FuzzTarget] = [
    "stream": StreamTarget(), "put": PutTarget(), "map": MapTarget(), "index": IndexTarget(),
    "pack": PackTarget(), "point": PointTarget(), "known": KnownTarget(),
    "baseline": BaselineTarget(), "vhd": VHDTarget(), "layout": LayoutTarget(),
    "vhdx": ImageTarget(format: VHDXImage.self),
    "vhdxcheck": ImageTarget(format: VHDXImage.self, check: .vhdx),
    "vmdk": ImageTarget(format: VMDKImage.self),
    "qcow2": ImageTarget(format: QCOW2Image.self), "qed": ImageTarget(format: QEDImage.self),
    "vdi": ImageTarget(format: VDIImage.self), "chain": ChainTarget(), "ovf": OVFTarget(),
    "manifest": ManifestTarget(), "vmdkstream": VMDKStreamTarget(),
    "vhdrepair": RepairTarget(.vhd), "vhdxrepair": RepairTarget(.vhdx), "ntfs": GuestTarget.ntfs,
    "fat": GuestTarget.fat, "exfat": GuestTarget.exFAT, "btrfs": GuestTarget.btrfs,
    "xfs": GuestTarget.xfs, "ext": GuestTarget.ext,
  ]

  static let target: any FuzzTarget = {
    let name = Environment.value("VPIPE_FUZZ_TARGET") ?? ""
    guard let target = targets[name] else {
      fatalError("VPIPE_FUZZ_TARGET: one of \(targets.keys.sorted())")
    }
    return target
  }()

  static func run(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let rest = Array(input.dropFirst())
    do {
      try target.run(first & 1 == 0 ? target.mended(rest) : rest)
    } catch let fault as Fault {
      fatalError("\(fault)")
    } catch {}
  }

  /// A promise that was broken, as opposed to an input that was refused.
  struct Fault: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  static func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
    if !condition { throw Fault(text()) }
  }

  /// `bytes` as a file that has no name.
  static func file(_ bytes: [UInt8]) throws -> FileDescriptor {
    let path = "/dev/shm/vpipe-fuzz-\(getpid())"
    let file = try FileDescriptor(path, .create)
    try Files.remove(path)
    try file.write(bytes)
    lseek(file.number, 0, SEEK_SET)
    return file
  }
}

extension [UInt8] {
  func little(_ place: Int, _ count: Int) -> UInt64 {
    guard place >= 0, place + count <= self.count else { return 0 }
    return (0..<count).reduce(0) { $0 | UInt64(self[place + $1]) << UInt64($1 * 8) }
  }

  /// Sets a little-endian number, where there is room for it.
  mutating func set(_ place: Int, _ count: Int, _ value: UInt64) {
    guard place >= 0, place + count <= self.count else { return }
    for index in 0..<count {
      self[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }

  mutating func setBig(_ place: Int, _ count: Int, _ value: UInt64) {
    guard place >= 0, place + count <= self.count else { return }
    for index in 0..<count {
      self[place + index] = UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - index) * 8))
    }
  }
}
