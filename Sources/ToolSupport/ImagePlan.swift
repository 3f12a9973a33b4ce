public import ArgumentParser
internal import Blocks
internal import Bytes
public import DiskImages
internal import Platform

/// The formats that can be written.
public enum ImageFormat: String, CaseIterable, Sendable, ExpressibleByArgument {
  case vhd
  case vhdx
  case vmdk
  case qcow2
  case raw
  /// Several disks with a description of their machine.
  case ova

  /// As people write it.
  var title: String {
    switch self {
    case .vhd: "VHD"
    case .vhdx: "VHDX"
    case .vmdk: "VMDK"
    case .qcow2: "qcow2"
    case .raw: "raw disk"
    case .ova: "OVA"
    }
  }
}

/// How a VHD or a VHDX keeps blocks of zeros.
public enum ImageType: String, CaseIterable, Sendable, ExpressibleByArgument {
  case fixed
  case dynamic
}

/// How the image is to be.
public struct ImagePlan {
  public var format: ImageFormat
  public var type = ImageType.fixed
  public var azure = false
  /// Bytes of a block; nil for what is usual.
  public var blockByteCount: UInt64?
  /// Bytes of a sector of a VHDX; nil for what the source has.
  public var sectorSize: UInt32?
  /// How clusters of a qcow2 are compressed, if at all.
  public var packing: GrainPacking?
  /// The folder for an image that goes into a pipe and must be whole before.
  public var spool: String?

  public init(_ format: ImageFormat) { self.format = format }

  /// The sectors that the image gets for a disk with sectors of `size` bytes.
  func sectorSize(for size: UInt32) -> UInt32 {
    guard format == .vhdx else { return 512 }
    return sectorSize ?? (size == 4096 ? 4096 : 512)
  }

  /// The size that a disk gets.
  func size(for header: VolumeHeader) -> UInt64 {
    if azure { return AzureRules.size(for: header.size) }
    if format == .raw { return header.size }
    let sector = UInt64(sectorSize(for: header.sectorSize))
    return (header.size + sector - 1) / sector * sector
  }

  /// Refuses sizes that the image cannot have.
  func requirePossible(_ size: UInt64) throws(LayoutError) {
    if format != .raw, size == 0 { throw LayoutError("an empty disk makes no \(format.title)") }
    let limit: UInt64
    let name: String
    switch format {
    case .vhd where azure: (limit, name) = (AzureRules.mostSize, "a disk for Azure")
    case .vhd where type == .fixed: (limit, name) = (VHDLimits.fixedSize, "a fixed VHD")
    case .vhd: (limit, name) = (VHDLimits.dynamicSize, "a dynamic VHD")
    case .raw: (limit, name) = (VolumeHeader.sizeLimit, "a raw disk")
    case .vhdx, .vmdk, .qcow2, .ova: return
    }
    guard size <= limit else {
      throw LayoutError(
        "\(name) holds \(limit) bytes at most, the disk has \(size)",
        hint: format == .vhd && type == .dynamic ? "a fixed one holds more" : nil)
    }
    guard format == .vhd, type == .dynamic else { return }
    let blocks = size / (blockByteCount ?? ImagePlan.vhdBlockByteCount)
    guard blocks < VHDLimits.entryCount else {
      throw LayoutError(
        "a table of \(blocks) blocks is beyond the limit of \(VHDLimits.entryCount)",
        hint: "--block-size with a larger size helps")
    }
  }

  static let vhdBlockByteCount: UInt64 = 2 << 20

  /// What the image will look like.
  ///
  /// - Parameters:
  ///   - size: The size that the disk gets.
  ///   - sectorSize: Bytes of the source's sectors.
  ///   - name: The file's name.
  /// - Throws: When the image cannot be.
  func layout(_ size: UInt64, sectorSize: UInt32, name: String) throws -> ImageLayout {
    try requirePossible(size)
    switch (format, type) {
    case (.raw, _): return .straight(RawLayout(size: size))
    case (.vhd, .fixed): return .straight(VHDFixedLayout(try footer(.fixed, size)))
    case (.vhd, .dynamic):
      return .blocks(
        try VHDDynamicBlocks(
          try footer(.dynamic, size),
          blockByteCount: UInt32(blockByteCount ?? ImagePlan.vhdBlockByteCount)))
    case (.vhdx, _):
      let shape = try VHDXShape(
        size: size, blockByteCount: blockByteCount ?? VHDXShape.usualBlockByteCount,
        sectorSize: self.sectorSize(for: sectorSize), isFixed: type == .fixed,
        identifiers: try Random.bytes(48))
      return type == .fixed
        ? .straight(VHDXFixedLayout(shape)) : .blocks(VHDXDynamicBlocks(shape))
    case (.vmdk, _):
      return .packed(
        try VMDKPacked(size: size, name: name, identifier: try Random.bytes(16)), isOrdered: true)
    case (.qcow2, _):
      guard let packing else { return .blocks(try QCOW2Blocks(size: size)) }
      return .packed(try QCOW2Packed(size: size, packing), isOrdered: false)
    case (.ova, _): preconditionFailure("an OVA is no image of one disk")
    }
  }

  private func footer(_ kind: VHDFooter.Kind, _ size: UInt64) throws -> VHDFooter {
    VHDFooter(kind, size: size, created: Clock.now(), identifier: try Random.bytes(16))
  }
}

/// What an image will look like, as far as that decides how it is written.
enum ImageLayout {
  case straight(any StraightLayout)
  case blocks(any BlockLayout)
  /// Whether the file can be written from its first byte to its last.
  case packed(any PackedLayout, isOrdered: Bool)
}
