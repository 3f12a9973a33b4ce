public import ArgumentParser
internal import Bytes
internal import DiskImages

/// How an image is to be, wherever a tool makes one.
public struct ImageArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is made: vhd, vhdx, vmdk (streamOptimized, for ESXi), qcow2, raw or, by vrestore, ova; "
        + "else what the file's name ends in.", valueName: "format"))
  public var format: ImageFormat?

  @Option(help: "Of a vhd or vhdx: fixed or dynamic; fixed unless said otherwise.")
  public var type: ImageType?

  @Flag(help: "Make it fit for Azure: fixed, grown to whole MiB, with its partition table's end.")
  public var azure = false

  @Option(
    help: ArgumentHelp(
      "The size of the blocks of a dynamic vhd (2M) or of a vhdx (32M).", valueName: "bytes"),
    completion: .list(["512K", "1M", "2M", "16M", "32M"]))
  public var blockSize: String?

  @Option(
    help: ArgumentHelp(
      "The size of a vhdx's sectors: 512 or 4096; that of the source's.", valueName: "bytes"),
    completion: .list(["512", "4096"]))
  public var sectorSize: UInt32?

  @Option(
    help: ArgumentHelp("Compress a qcow2's clusters: zstd or deflate.", valueName: "method"),
    completion: .list(["zstd", "deflate"]))
  public var compress: String?

  @Option(
    help: ArgumentHelp(
      "Where an image is built that goes into a pipe and cannot be made in order ($TMPDIR).",
      valueName: "folder"),
    completion: .directory)
  public var spool: String?

  @Flag(help: "Replace the output when it is there already.")
  public var force = false

  @Flag(help: "Print what was made, and errors, as JSON.")
  public var json = false

  @OptionGroup
  public var output: OutputOptions

  public init() {}

  /// The plan for an image of that name, `-` for stdout.
  ///
  /// - Parameter usual: The format where nothing tells another one; nil if that is an error.
  /// - Throws: Where options contradict each other, or the name.
  public func plan(_ path: String, usual: ImageFormat?) throws(Failure) -> ImagePlan {
    // Who asks for a type asks for a VHD, if the name does not say VHDX.
    var promised = try FileEnding.format(of: path, asked: format)
    if format == nil, promised == .raw, type != nil || azure {
      if azure {
        throw Failure(.usage, "\(path): the name of a raw disk, but --azure makes a VHD")
      }
      promised = .vhd
    }
    guard let format = promised ?? usual else {
      throw Failure(
        .usage, "no format is named", hint: "--format takes one of \(ImageFormat.choice)")
    }
    var plan = ImagePlan(format)
    plan.type = type ?? .fixed
    plan.azure = azure
    plan.spool = spool
    plan.sectorSize = sectorSize
    try refuseContradictions(plan)
    plan.blockByteCount = try blockByteCount(plan)
    switch compress {
    case nil: break
    case "zstd": plan.packing = .zstd
    case "deflate": plan.packing = .deflate
    case .some(let word):
      throw Failure(.usage, "--compress \(word): not zstd or deflate")
    }
    return plan
  }

  private func refuseContradictions(_ plan: ImagePlan) throws(Failure) {
    let title = "\(plan.format.article) \(plan.format.title)"
    if azure, plan.format != .vhd || plan.type != .fixed {
      throw Failure(
        .usage, "--azure makes a fixed VHD, not \(plan.format == .vhd ? "a dynamic one" : title)")
    }
    if type != nil, plan.format != .vhd, plan.format != .vhdx {
      throw Failure(.usage, "--type belongs to a VHD or VHDX, not to \(title)")
    }
    if blockSize != nil, plan.format != .vhdx, plan.format != .vhd || plan.type != .dynamic {
      throw Failure(.usage, "--block-size belongs to a dynamic VHD or to a VHDX")
    }
    if let sectorSize {
      guard plan.format == .vhdx else {
        throw Failure(.usage, "--sector-size belongs to a VHDX, not to \(title)")
      }
      guard [512, 4096].contains(sectorSize) else {
        throw Failure(.usage, "--sector-size \(sectorSize): not 512 or 4096")
      }
    }
    if compress != nil, plan.format != .qcow2 {
      throw Failure(.usage, "--compress belongs to a qcow2, not to \(title)")
    }
  }

  private func blockByteCount(_ plan: ImagePlan) throws(Failure) -> UInt64? {
    guard let blockSize else { return nil }
    let possible =
      plan.format == .vhdx ? VHDXShape.blockByteCounts : 64 << 10...VHDLimits.blockByteCount
    guard let size = ByteSize.parse(blockSize), size & (size &- 1) == 0, possible.contains(size)
    else {
      throw Failure(
        .usage,
        "--block-size \(blockSize): not a power of two from \(ByteSize.text(possible.lowerBound)) "
          + "to \(ByteSize.text(possible.upperBound))")
    }
    return size
  }
}
