import Blocks
import Bytes
import Glibc
import Platform

@testable import DiskImages

/// A container of any format, sparse: an input names the sectors that are not zero.
///
///     2 bytes   number of sectors n;  4 bytes: the file's size in sectors
///     4n        each one's number
///     512n      their bytes
///
/// Seeds are the images in the folder VPIPE_FUZZ_IMAGES whose names end in the format's.
struct ImageTarget: FuzzTarget {
  let format: any DiskFormat.Type
  /// The check that is run, too.
  var check: CheckedFormat?

  private static let sector = 512
  static let sizeLimit: UInt64 = 64 << 20

  func mended(_ input: [UInt8]) -> [UInt8] {
    guard format.name == "vhdx" else { return input }
    var image = SparseImage(input)
    let places = [64, 128, 192, 256].map { $0 << 10 }
    for place in places {
      let count = place < 192 << 10 ? 4096 : 64 << 10
      var bytes = image.bytes(place, count)
      guard bytes.contains(where: { $0 != 0 }) else { continue }
      bytes.set(4, 4, UInt64(VHDXChecksum.checksum(of: bytes)))
      image.replace(place, bytes)
    }
    mendLog(&image)
    return image.encoded
  }

  /// Makes the checksums of a VHDX's log entries fit, as far as they are where the header says.
  private func mendLog(_ image: inout SparseImage) {
    let header = image.bytes(64 << 10, 128)
    let start = Int(truncatingIfNeeded: header.little(72, 8))
    let end = start &+ Int(header.little(68, 4))
    guard start > 0, end <= Int(ImageTarget.sizeLimit), start < end else { return }
    var place = start
    while place + 4096 <= end {
      let head = image.bytes(place, 16)
      let length = Int(head.little(8, 4))
      guard Array(head[0..<4]) == Array("loge".utf8), length > 0, length % 4096 == 0,
        place + length <= end, length <= 1 << 20
      else {
        place += 4096
        continue
      }
      var bytes = image.bytes(place, length)
      bytes.set(4, 4, UInt64(VHDXChecksum.checksum(of: bytes)))
      image.replace(place, bytes)
      place += length
    }
  }

  func run(_ input: [UInt8]) throws {
    let source = SparseImage(input).source
    if let check {
      _ = try CheckedFormat.recognize(source)
      _ = try check.findings(in: source, now: 1_800_000_000)
      return
    }
    _ = try DiskFormats.recognize(source)
    try ImageTarget.walk(try format.init(opening: source))
  }

  /// Reads here and there in a disk, and holds it to what it says of its data.
  static func walk(_ disk: any BlockSource) throws {
    var position: UInt64 = 0
    for _ in 0..<100 {
      guard let data = try disk.nextData(at: position) else { break }
      try Fuzz.require(
        data.lowerBound >= position && !data.isEmpty && data.upperBound <= disk.size,
        "data at \(data) of \(disk.size) from \(position)")
      _ = try disk.bytes(Int(min(data.upperBound - data.lowerBound, 300_000)), at: data.lowerBound)
      position = data.upperBound
    }
    for offset in [0, disk.size / 2, disk.size - min(disk.size, 4096)] {
      _ = try? disk.bytes(Int(min(disk.size - offset, 4096)), at: offset)
    }
  }

  func samples() throws -> [[UInt8]] {
    guard let folder = Environment.value("VPIPE_FUZZ_IMAGES") else { return [] }
    return try Files.names(in: folder).sorted().filter { $0.hasSuffix(".\(format.name)") }
      .compactMap {
        guard let bytes = try Files.contents("\(folder)/\($0)", limit: Int(ImageTarget.sizeLimit))
        else {
          return nil
        }
        return SparseImage(file: bytes).encoded
      }
  }
}

/// The sectors of a file that are not zero.
struct SparseImage {
  private static let sector = 512
  private var sectors: [UInt32: [UInt8]] = [:]
  private var count: UInt32 = 0

  /// - Parameter file: A whole file.
  init(file: [UInt8]) {
    count = UInt32((file.count + 511) / 512)
    for number in 0..<Int(count) {
      let bytes = Array(file[number * 512..<min(number * 512 + 512, file.count)])
      guard bytes.contains(where: { $0 != 0 }) else { continue }
      sectors[UInt32(number)] = bytes + [UInt8](repeating: 0, count: 512 - bytes.count)
    }
  }

  /// - Parameter input: As `encoded` makes it.
  init(_ input: [UInt8]) {
    let number = Int(input.little(0, 2))
    count = min(UInt32(input.little(2, 4)), (64 << 20) / 512)
    for index in 0..<number {
      let place = 6 + 4 * number + 512 * index
      guard place + 512 <= input.count else { break }
      let sector = UInt32(input.little(6 + 4 * index, 4))
      if sector < count { sectors[sector] = Array(input[place..<place + 512]) }
    }
  }

  var encoded: [UInt8] {
    let numbers = sectors.keys.sorted().prefix(65535)
    var bytes = [UInt8](repeating: 0, count: 6 + 4 * numbers.count)
    bytes.set(0, 2, UInt64(numbers.count))
    bytes.set(2, 4, UInt64(count))
    for (index, number) in numbers.enumerated() { bytes.set(6 + 4 * index, 4, UInt64(number)) }
    for number in numbers { bytes += sectors[number] ?? [] }
    return bytes
  }

  /// Bytes from a sector's start on.
  func bytes(_ place: Int, _ length: Int) -> [UInt8] {
    let zeros = [UInt8](repeating: 0, count: 512)
    var bytes: [UInt8] = []
    for number in place / 512..<(place + length + 511) / 512 {
      bytes += sectors[UInt32(number)] ?? zeros
    }
    return Array(bytes.prefix(length))
  }

  mutating func replace(_ place: Int, _ bytes: [UInt8]) {
    for index in 0..<bytes.count / 512 {
      let part = Array(bytes[index * 512..<index * 512 + 512])
      if part.contains(where: { $0 != 0 }) { sectors[UInt32(place / 512 + index)] = part }
    }
  }

  var source: any BlockSource { SparseSource(sectors, UInt64(count) * 512) }
}

/// A file of which only some sectors are not zero.
private final class SparseSource: BlockSource {
  private let sectors: [UInt32: [UInt8]]
  let size: UInt64
  var sectorSize: UInt32 { 512 }

  init(_ sectors: [UInt32: [UInt8]], _ size: UInt64) {
    self.sectors = sectors
    self.size = size
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let end = offset + UInt64(bytes.count)
    guard end <= size else { throw SourceError(offset..<end, .ended) }
    bytes.update(repeating: 0)
    guard end > offset else { return }
    for number in offset / 512...(end - 1) / 512 {
      guard let sector = sectors[UInt32(number)] else { continue }
      let part = (number * 512..<number * 512 + 512).clamped(to: offset..<end)
      for place in part { bytes[Int(place - offset)] = sector[Int(place - number * 512)] }
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < size ? offset..<size : nil
  }
}
