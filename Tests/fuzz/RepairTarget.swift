import Blocks
import Bytes
import TestSupport

@testable import DiskImages

/// Repair and change of size of a damaged image: what could be read before can be read after each
/// step, and the file is then as it was planned.
struct RepairTarget: FuzzTarget {
  let format: CheckedFormat
  /// Whose inputs these are, too.
  private let images: any FuzzTarget

  /// What is worked on at most, in bytes: of a file, and of a disk that grows from up to half of that.
  private static let fileLimit: UInt64 = 12 << 20
  private static let diskLimit: UInt64 = 4 << 20
  private static let now: Int64 = 1_800_000_000

  init(_ format: CheckedFormat) {
    self.format = format
    images = format == .vhd ? VHDTarget() : ImageTarget(format: VHDXImage.self)
  }

  func mended(_ input: [UInt8]) -> [UInt8] { images.mended(input) }

  func samples() throws -> [[UInt8]] { try images.samples() }

  func run(_ input: [UInt8]) throws {
    let file = format == .vhd ? input : try flat(SparseImage(input).source)
    let disk = content(file)
    do {
      let plan = try RepairPlan(MemorySource(file), format, now: RepairTarget.now)
      if let repaired = try made(plan.steps, of: file, disk, least: disk?.count ?? 0) {
        let left = try problems(repaired)
        try Fuzz.require(
          left == plan.after.map { "\($0.error)" }, "after repair \(left), planned \(plan.after)")
      }
    } catch is FormatError {}
    guard let disk, !disk.isEmpty, disk.count <= RepairTarget.diskLimit / 2 else { return }
    let sizes = [disk.count + (1 << 20), disk.count / 2 / 4096 * 4096, disk.count + 4096]
    try resize(file, disk, to: sizes[input.count % sizes.count])
  }

  private func resize(_ file: [UInt8], _ disk: [UInt8], to size: Int) throws {
    guard size > 0 else { return }
    let plan: ResizePlan
    do {
      plan = try ResizePlan(
        MemorySource(file), format, to: UInt64(size), cutsData: true, now: RepairTarget.now)
    } catch is FormatError {
      return
    }
    let least = min(size, disk.count)
    guard let resized = try made(plan.steps, of: file, disk, least: least) else { return }
    let wanted = Array(disk.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - disk.count))
    try Fuzz.require(content(resized) == wanted, "another disk of \(size) bytes")
    let left = try problems(resized)
    try Fuzz.require(left.isEmpty, "after a change to \(size) bytes: \(left)")
  }

  /// The file once the steps are made; nil when that is too much.
  ///
  /// - Parameters:
  ///   - disk: What could be read in it before; nil if nothing could.
  ///   - least: So much of it, in bytes, must be there after each step.
  private func made(
    _ steps: [RepairStep], of file: [UInt8], _ disk: [UInt8]?, least: Int
  ) throws -> [UInt8]? {
    var file = file
    for step in steps {
      var whole = step
      whole.mostByteCount = .max
      let count = step.byteCount(after: UInt64(file.count))
      let room = whole.byteCount(after: UInt64(file.count))
      guard room <= RepairTarget.fileLimit else { return nil }
      let before = step.copies.isEmpty ? [] : file
      file += [UInt8](repeating: 0, count: Int(room) - file.count)
      for (from, to) in step.copies {
        let part = before[Int(from.lowerBound)..<Int(from.upperBound)]
        file.replaceSubrange(Int(to)..<Int(to) + part.count, with: part)
      }
      for zero in step.zeros {
        let range = Int(zero.lowerBound)..<Int(zero.upperBound)
        file.replaceSubrange(range, with: repeatElement(0, count: range.count))
      }
      for write in step.writes {
        let place = Int(write.offset)
        file.replaceSubrange(place..<place + write.bytes.count, with: write.bytes)
      }
      file.removeLast(file.count - Int(count))
      guard let disk else { continue }
      let now = content(file)
      try Fuzz.require(
        now?.prefix(least) == disk.prefix(least),
        "\(step.description): \(now == nil ? "nothing" : "something else") can be read then")
    }
    return file
  }

  private func problems(_ file: [UInt8]) throws -> [String] {
    do {
      return try format.findings(in: MemorySource(file), now: RepairTarget.now)
        .filter { $0.severity.isProblem }.map { "\($0.error)" }
    } catch let error as FormatError {
      return ["\(error)"]
    }
  }

  /// The disk in a file; nil where it cannot be read, or is large.
  private func content(_ file: [UInt8]) -> [UInt8]? {
    do {
      let source = MemorySource(file)
      let disk: any BlockSource =
        switch format {
        case .vhd: try VHDImage(opening: source)
        case .vhdx: try VHDXImage(opening: source)
        }
      return disk.size <= RepairTarget.diskLimit ? try flat(disk) : nil
    } catch {
      return nil
    }
  }

  private func flat(_ source: any BlockSource) throws -> [UInt8] {
    guard source.size <= RepairTarget.fileLimit else { throw Skipped() }
    return try source.bytes(Int(source.size), at: 0) ?? []
  }

  /// Ends a run with what is too large for it.
  private struct Skipped: Error {}
}
