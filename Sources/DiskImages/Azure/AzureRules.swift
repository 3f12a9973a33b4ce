internal import Blocks
internal import Bytes

/// What Azure asks of a VHD that is uploaded, and how a disk is made to fit.
///
/// From Microsoft's "Prepare a Windows VHD or VHDX to upload to Azure", "Upload a VHD to Azure or
/// copy a managed disk" and "Support for generation 2 VMs".
public enum AzureRules {
  /// Sizes are multiples of 1 MiB.
  public static let unit: UInt64 = 1 << 20
  /// The smallest disk: 20 MiB.
  public static let leastSize: UInt64 = 20 << 20
  /// The largest disk: 32,767 GiB.
  public static let mostSize: UInt64 = 32767 << 30
  /// The largest disk that a generation 1 machine starts from: 2,048 GiB.
  public static let mostFirstGenerationSize: UInt64 = 2048 << 30
  /// The largest disk that a generation 2 machine is said to start from: 4 TiB.
  public static let mostSecondGenerationSize: UInt64 = 4 << 40

  /// The size that a disk of `size` bytes is grown to.
  public static func size(for size: UInt64) -> UInt64 {
    let least = max(size, leastSize)
    return (least + unit - 1) / unit * unit
  }

  /// What keeps `image` from being accepted or from starting.
  public static func findings(_ image: VHDImage) throws -> [Finding] {
    let footer = image.fileByteCount - min(image.fileByteCount, UInt64(VHDFooter.byteCount))
    var list = FindingList("VHD footer", at: footer)
    let size = image.size
    list.expect(
      image.kind == .fixed, at: 60, "Azure takes fixed disks, this one is \(image.kind.name)")
    list.expect(
      size % unit == 0, at: 48, "Azure takes multiples of 1 MiB, this disk has \(size) bytes")
    list.expect(
      size >= leastSize, at: 48,
      "Azure takes disks from \(leastSize) bytes on, this one has \(size)")
    list.expect(
      size <= mostSize, at: 48, "Azure takes disks up to \(mostSize) bytes, this one has \(size)")
    list.expect(
      size <= mostFirstGenerationSize || size > mostSecondGenerationSize, .note, at: 48,
      "a generation 1 machine does not start from a disk of more than 2048 GiB")
    list.expect(
      size <= mostSecondGenerationSize, .note, at: 48,
      "no machine starts from a disk of more than 4 TiB; it can hold data")
    return try list.findings + partitionTable(image)
  }

  /// Looks for the backup of a GPT that was left behind when the disk grew.
  private static func partitionTable(_ image: VHDImage) throws -> [Finding] {
    let startCount = min(image.size, PartitionTableEnd.startByteCount)
    let lastCount = min(image.size, 4096)
    guard let start = try image.bytes(Int(startCount), at: 0),
      let last = try image.bytes(Int(lastCount), at: image.size - lastCount),
      PartitionTableEnd.isInPlace(start.span, last: last.span, size: image.size) == false
    else { return [] }
    return [
      Finding(
        .problem, "GPT backup", at: image.size - 512, "the disk does not end with a sound one")
    ]
  }
}
