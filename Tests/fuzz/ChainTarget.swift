import Blocks
import Bytes
import Platform

@testable import DiskImages

/// An image that refers to another file, and that file: what it calls its parent, its extent or its data.
///
///     1 byte    the format, by its place in `formats`
///     4 bytes   length of the image, which follows; then the other file: both as SparseImage has them
///
/// The other file may refer to a file in turn, and gets itself. Seeds are the pairs NAME.FORMAT.image and
/// NAME.FORMAT.other in the folder VPIPE_FUZZ_IMAGES.
struct ChainTarget: FuzzTarget {
  private static let formats: [any DiskFormat.Type] = [
    VHDImage.self, VHDXImage.self, VMDKImage.self, QCOW2Image.self, QEDImage.self,
  ]
  private static let headByteCount = 5

  private func parts(_ input: [UInt8]) -> (image: [UInt8], other: [UInt8]) {
    let rest = input.count - ChainTarget.headByteCount
    guard rest >= 0 else { return ([], []) }
    let count = min(Int(input.little(1, 4)), rest)
    let bytes = input.dropFirst(ChainTarget.headByteCount)
    return (Array(bytes.prefix(count)), Array(bytes.dropFirst(count)))
  }

  private func joined(_ number: Int, _ image: [UInt8], _ other: [UInt8]) -> [UInt8] {
    var head = [UInt8](repeating: 0, count: ChainTarget.headByteCount)
    head[0] = UInt8(number)
    head.set(1, 4, UInt64(image.count))
    return head + image + other
  }

  func mended(_ input: [UInt8]) -> [UInt8] {
    guard let first = input.first else { return input }
    let number = Int(first) % ChainTarget.formats.count
    let target = ImageTarget(format: ChainTarget.formats[number])
    let (image, other) = parts(input)
    return joined(number, target.mended(image), target.mended(other))
  }

  func run(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    let (image, other) = parts(input)
    var options = OpeningOptions()
    options.companions = Other(source: SparseImage(other).source, depth: 0)
    options.snapshot = first & 0x80 == 0 ? nil : "one"
    let format = ChainTarget.formats[Int(first) % ChainTarget.formats.count]
    try ImageTarget.walk(try format.init(opening: SparseImage(image).source, options))
  }

  func samples() throws -> [[UInt8]] {
    guard let folder = Environment.value("VPIPE_FUZZ_IMAGES") else { return [] }
    let limit = Int(ImageTarget.sizeLimit)
    var samples: [[UInt8]] = []
    for (number, format) in ChainTarget.formats.enumerated() {
      for name in try Files.names(in: folder) where name.hasSuffix(".\(format.name).image") {
        let other = name.dropLast("image".count) + "other"
        guard let first = try Files.contents("\(folder)/\(name)", limit: limit),
          let second = try Files.contents("\(folder)/\(other)", limit: limit)
        else { continue }
        samples.append(
          joined(number, SparseImage(file: first).encoded, SparseImage(file: second).encoded))
      }
    }
    return samples
  }

  /// Gives the other file under any name.
  private struct Other: Companions {
    let source: any BlockSource
    let depth: Int

    func open(_ names: [String], as role: CompanionRole) throws -> Companion {
      guard depth < 4 else {
        throw CompanionError(role, names.first ?? "", .impossible("too deep"))
      }
      return Companion(source, path: "other", Other(source: source, depth: depth + 1))
    }
  }
}
