internal import Bytes
public import Codecs
public import DiskImages

/// An OVA in a file: a tar archive of a description, a manifest and the disks, in this order.
///
///     NAME.ovf          what the machine is made of, with the sizes of the disks' files
///     NAME.mf           digests of the other files
///     NAME-disk1.vmdk   a streamOptimized VMDK each
///
/// The first two hold what is known only when the disks are written, so room is kept for them at the
/// file's start: their lengths are known beforehand.
public final class OVAFile {
  private static let sector: UInt64 = 512
  /// What tar programs read at once.
  private static let record: UInt64 = 10240
  /// An adapter of VMware's has 15 disks, a machine four adapters.
  public static let diskLimit = 60

  private let output: any ImageOutputFile
  private let kind: MessageDigest.Kind
  private let stem: String
  private let changed: Int64
  private let descriptionByteCount: Int
  private var description: OVFDescription
  private var digests: [[UInt8]] = []
  private var position: UInt64
  /// The disk that is being written, its digest, and where it starts.
  private var target: PackedTarget?
  private var digest: MessageDigest
  private var start: UInt64 = 0

  /// - Parameters:
  ///   - output: An empty file in which any place can be written.
  ///   - name: The machine's name.
  ///   - sizes: The disks' sizes in bytes, multiples of 512.
  ///   - kind: Of the digests.
  ///   - changed: The time that the files get, in seconds since 1970.
  /// - Throws: When there are too many disks.
  public init(
    _ output: any ImageOutputFile, name: String, sizes: [UInt64], _ kind: MessageDigest.Kind,
    changed: Int64
  ) throws(LayoutError) {
    guard sizes.count <= OVAFile.diskLimit else {
      throw LayoutError(
        "a machine of VMware's has \(OVAFile.diskLimit) disks at most, not \(sizes.count)")
    }
    self.output = output
    self.kind = kind
    self.changed = changed
    digest = MessageDigest(kind)
    let stem = OVAFile.fileName(name)
    self.stem = stem
    description = OVFDescription(
      name: name,
      disks: sizes.enumerated().map {
        .init(
          file: "\(stem)-disk\($0.offset + 1).vmdk", fileByteCount: 0, size: $0.element,
          populated: 0)
      })
    descriptionByteCount = description.byteLimit
    position = 0
    position =
      2 * OVAFile.sector + OVAFile.padded(UInt64(descriptionByteCount))
      + OVAFile.padded(UInt64(manifestByteCount))
  }

  /// A name that every system and every manifest's reader takes.
  private static func fileName(_ name: String) -> String {
    let bytes = name.utf8.prefix(64).map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        byte
      case UInt8(ascii: "."): byte
      default: UInt8(ascii: "_")
      }
    }
    let text = String(decoding: bytes, as: UTF8.self)
    return text.isEmpty || text.hasPrefix(".") ? "machine\(text)" : text
  }

  private static func padded(_ count: UInt64) -> UInt64 { (count + sector - 1) / sector * sector }

  /// Begins the next disk.
  ///
  /// - Parameters:
  ///   - identifier: 16 random bytes.
  ///   - recycle: Takes back segments.
  /// - Returns: Where its bytes go.
  /// - Throws: When the disk is too large.
  public func beginDisk(
    identifier: [UInt8], recycle: @escaping Recycling
  ) throws -> any DiskTarget {
    let disk = description.disks[digests.count]
    let layout = try VMDKPacked(size: disk.size, name: disk.file, identifier: identifier)
    let digest = MessageDigest(kind)
    self.digest = digest
    position += OVAFile.sector
    start = position
    let appended = OrderedOutput { [output, unowned self] bytes in
      digest.update(bytes)
      try output.write(bytes, at: position)
      position += UInt64(bytes.count)
    }
    let target = PackedTarget(appended, layout, recycle: recycle)
    self.target = target
    return target
  }

  /// Ends the disk, which its target has finished.
  public func endDisk() throws {
    let number = digests.count
    description.disks[number].fileByteCount = position - start
    description.disks[number].populated = target?.dataByteCount ?? 0
    digests.append(digest.finish())
    target = nil
    // A VMDK is a whole number of sectors, as what stands in an archive must be.
    precondition(position % OVAFile.sector == 0)
    try put(description.disks[number].file, size: position - start, at: start - OVAFile.sector)
  }

  private func put(_ name: String, size: UInt64, at place: UInt64) throws {
    let header = TarHeader.bytes(name, size: size, changed: changed)
    try output.write(header.span, at: place)
  }

  /// Bytes of the manifest, which do not depend on what the digests are.
  private var manifestByteCount: Int {
    let digest = [UInt8](repeating: 0, count: kind.byteCount)
    return manifest([[UInt8]](repeating: digest, count: description.disks.count + 1)).count
  }

  /// No space before the parenthesis: VMware's tools take none.
  private func manifest(_ digests: [[UInt8]]) -> [UInt8] {
    let names = ["\(stem).ovf"] + description.disks.map(\.file)
    let lines = zip(names, digests).map { "\(kind.rawValue)(\($0))= \(Hex.text($1))\n" }
    return Array(lines.joined().utf8)
  }

  /// Writes what stands in front of the disks, and the archive's end.
  public func finish() throws {
    precondition(digests.count == description.disks.count)
    let text = description.text(byteCount: descriptionByteCount)
    let own = MessageDigest(kind)
    own.update(text.span)
    let manifest = manifest([own.finish()] + digests)
    try put("\(stem).ovf", size: UInt64(text.count), at: 0)
    try output.write(text.span, at: OVAFile.sector)
    let place = OVAFile.sector + OVAFile.padded(UInt64(text.count))
    try put("\(stem).mf", size: UInt64(manifest.count), at: place)
    try output.write(manifest.span, at: place + OVAFile.sector)
    let end = position + 2 * OVAFile.sector
    try output.finish(byteCount: (end + OVAFile.record - 1) / OVAFile.record * OVAFile.record)
  }
}
