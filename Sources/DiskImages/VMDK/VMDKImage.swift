public import Blocks
internal import Bytes

/// A VMDK, read as the disk inside it: sparse or compressed in one file, or a descriptor with its
/// extents (flat, sparse, COWD, seSparse, zero) in others, and deltas of another VMDK.
///
/// VMware Virtual Disk Format 5.0. The parent of a delta must have the content identifier that the
/// delta was made of, and the same size.
public final class VMDKImage: DiskFormat {
  public static let name = "vmdk"
  /// Far more than the 1,024 parts of 2 GB that make 2 TiB.
  private static let extentLimit = 4096

  let descriptor: VMDKDescriptor
  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    guard let head = try source.bytes(Int(min(source.size, 32)), at: 0) else { return false }
    return
      [VMDKHeader.magic, COWDMap.magic, SESparseMap.magic, VMDKDescriptor.magic].contains {
        head.starts(with: $0)
      }
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    let head = try source.bytes(Int(min(source.size, 32)), at: 0) ?? []
    for (magic, kind) in [(COWDMap.magic, "vmfsSparse"), (SESparseMap.magic, "seSparse")]
    where head.starts(with: magic) {
      throw VMDKImage.onlyAPart("an extent (\(kind)) without the descriptor that names it")
    }
    if head.starts(with: VMDKHeader.magic) {
      let header = try VMDKHeader(of: source, at: 0)
      descriptor = try VMDKImage.embedded(in: source, header)
      let parent = try VMDKImage.parent(descriptor, options)
      content = try VMDKImage.sparse(source, descriptor.extents[0], parent)
      try VMDKImage.compare(parent, content.size)
      return
    }
    descriptor = try VMDKDescriptor(in: source, 0..<source.size)
    let parent = try VMDKImage.parent(descriptor, options)
    let size = try descriptor.size
    try VMDKImage.compare(parent, size)
    guard descriptor.extents.count <= VMDKImage.extentLimit else {
      throw descriptor.refusal(.impossible("\(descriptor.extents.count) extents"))
    }
    var parts: [JoinedDisk.Part] = []
    var start: UInt64 = 0
    for extent in descriptor.extents {
      let range = start..<start + extent.byteCount
      let below = parent.map { WindowSource($0, range) }
      parts.append(
        JoinedDisk.Part(range: range, disk: try descriptor.open(extent, below, options)))
      start = range.upperBound
    }
    content = JoinedDisk(parts, size: size)
  }

  private static func onlyAPart(_ what: String) -> FormatError {
    FormatError(
      "VMDK header", at: 0, .unsupported(what))
  }

  static func embedded(
    in source: any BlockSource, _ header: VMDKHeader
  ) throws -> VMDKDescriptor {
    // Some writers leave the room for a descriptor in each part.
    let isThere =
      try header.descriptor.isEmpty == false
      && source.bytes(1, at: header.descriptor.lowerBound) != [0]
    guard isThere else { throw onlyAPart("a part of a disk without the descriptor that names it") }
    let descriptor = try VMDKDescriptor(in: source, header.descriptor)
    guard descriptor.extents.count == 1, descriptor.extents[0].kind == "SPARSE",
      descriptor.extents[0].access != .none
    else {
      let kinds = descriptor.extents.map { "\($0.access.rawValue) \($0.kind)" }
        .joined(separator: ", ")
      throw descriptor.refusal(
        .unsupported("createType \(descriptor.createType) (extents: \(kinds)) in one file"))
    }
    return descriptor
  }

  /// A sparse extent in `source`, perhaps compressed.
  ///
  /// - Parameter parent: The part of the disk below that the extent covers.
  static func sparse(
    _ source: any BlockSource, _ extent: VMDKDescriptor.Extent, _ parent: (any BlockSource)?
  ) throws -> any BlockSource {
    MappedDisk(source, try map(of: source, extent), parent: parent)
  }

  /// The tables of a sparse extent.
  static func map(
    of source: any BlockSource, _ extent: VMDKDescriptor.Extent
  ) throws -> VMDKMap {
    var header = try VMDKHeader(of: source, at: 0)
    if header.directory == VMDKHeader.inFooter {
      // The footer is the last but one sector; the last one marks the end.
      guard source.size >= 3 * 512, source.size % 512 == 0 else {
        throw FormatError("VMDK footer", at: source.size, .truncated)
      }
      header = try VMDKHeader(of: source, at: source.size - 1024)
    }
    // The header's may be rounded up to a whole grain.
    guard extent.sectors <= header.capacity,
      header.capacity - extent.sectors < header.grainSectors
    else {
      throw FormatError(
        "VMDK header", at: 12,
        .impossible("\(header.capacity) sectors, but \(extent.sectors) in the descriptor"))
    }
    return try VMDKMap(of: source, header, size: extent.byteCount)
  }

  // MARK: The parent

  /// The disk that a delta is for; nil for others.
  private static func parent(
    _ descriptor: VMDKDescriptor, _ options: OpeningOptions
  ) throws -> (any BlockSource)? {
    guard let identifier = descriptor.parentIdentifier else { return nil }
    let hint = descriptor.values["parentfilenamehint"] ?? ""
    guard !hint.isEmpty else {
      throw descriptor.refusal(.impossible("a delta of a disk without a name"))
    }
    // The path of another machine; the identifier tells whether what is found here is the parent.
    let companion = try options.companions.open(
      ([hint] + hint.candidatesFromWindows).distinct, as: .parent)
    let image = try companion.opened(as: .parent) { file in
      try VMDKImage(opening: file, options.of(companion))
    }
    guard image.descriptor.identifier == identifier else {
      throw companion.mismatch(
        .parent,
        "its content identifier is \(image.descriptor.identifier), the delta was made of "
          + identifier)
    }
    return ParentDisk(image, in: companion, as: .parent)
  }

  private static func compare(_ parent: (any BlockSource)?, _ size: UInt64) throws(FormatError) {
    guard let parent, parent.size != size else { return }
    throw FormatError(
      "VMDK descriptor", at: 0,
      .impossible("a disk of \(size) bytes, but its parent has \(parent.size)"))
  }
}

extension VMDKDescriptor {
  /// Opens an extent; nil for one of zeros.
  ///
  /// - Parameter parent: The part of the disk below that it covers.
  fileprivate func open(
    _ extent: Extent, _ parent: (any BlockSource)?, _ options: OpeningOptions
  ) throws -> (any BlockSource)? {
    guard extent.access != .none else {
      throw refusal(.unsupported("an extent without access (NOACCESS)"))
    }
    if extent.kind == "ZERO" { return nil }
    let kinds = ["FLAT", "VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE"]
    guard kinds.contains(extent.kind) else {
      throw refusal(.unsupported("an extent of type \(extent.kind.printable)"))
    }
    guard !extent.file.isEmpty else {
      throw refusal(.impossible("an extent of type \(extent.kind) without a file"))
    }
    let companion = try options.companions.open([extent.file], as: .extent)
    let disk: any BlockSource = try companion.opened(as: .extent) { file in
      switch extent.kind {
      case "SPARSE": return try VMDKImage.sparse(file, extent, parent)
      case "VMFSSPARSE":
        return MappedDisk(file, try COWDMap(of: file, size: extent.byteCount), parent: parent)
      case "SESPARSE":
        return MappedDisk(file, try SESparseMap(of: file, size: extent.byteCount), parent: parent)
      default: return try flat(extent, in: file)
      }
    }
    return ParentDisk(disk, in: companion, as: .extent)
  }

  private func flat(_ extent: Extent, in file: any BlockSource) throws -> any BlockSource {
    let (start, overflow) = extent.start.multipliedReportingOverflow(by: VMDKHeader.sector)
    guard !overflow, start <= file.size, extent.byteCount <= file.size - start else {
      throw FormatError("VMDK flat extent", at: file.size, .truncated)
    }
    return WindowSource(file, start..<start + extent.byteCount)
  }
}
