internal import ArgumentParser
internal import Blocks
internal import Codecs
internal import Platform
internal import Repositories
internal import ToolSupport

/// `vrestore export`: a point's disks become an image, or a machine for VMware.
struct Export: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make an image of a point's disk, or an OVA of all its disks.")

  /// Digests of an OVA's manifest.
  enum DigestKind: String, CaseIterable, ExpressibleByArgument {
    case sha256
    case sha1

    var kind: MessageDigest.Kind { self == .sha1 ? .sha1 : .sha256 }
  }

  @OptionGroup
  var arguments: PointArguments

  @Option(name: .shortAndLong, help: "The file to make; - is stdout.", completion: .file())
  var output = "-"

  @Option(
    help: ArgumentHelp(
      "The digests of an ova's manifest: sha256, or sha1 for vCenter before 6.5.",
      valueName: "kind"))
  var digest: DigestKind?

  @OptionGroup
  var image: ImageArguments

  private struct Report: Encodable {
    let file: String
    let format: String
    let fileSize: UInt64
    let volumes: [Volume]

    struct Volume: Encodable {
      let name: String
      let size: UInt64
    }
  }

  func run() throws {
    let plan = try image.plan(output, usual: nil)
    if digest != nil, plan.format != .ova {
      throw Failure(.usage, "--digest belongs to an OVA")
    }
    try arguments.refuse(output: output)
    let destination = try ImageOutput(output, force: image.force, plan)
    let selected = try arguments.open()
    let volumes: [Int]
    if plan.format == .ova {
      volumes = try selected.pickedVolume().map { [$0] } ?? Array(selected.point.volumes.indices)
    } else {
      volumes = [try selected.onlyVolume()]
    }
    let feeds = try volumes.map { try selected.feed([.init(volume: $0)]) }
    try copy(feeds, selected, plan, destination)
    if !image.output.quiet { for number in volumes { selected.tellFilesLeftOut(ofVolume: number) } }
    if image.json, !destination.isStandardOutput { try report(plan, feeds) }
    if !selected.point.complete { leave(.incomplete) }
  }

  private func copy(
    _ feeds: [RestoreFeed], _ selected: SelectedPoint, _ plan: ImagePlan,
    _ destination: ImageOutput
  ) throws {
    let archive =
      plan.format == .ova
      ? try destination.archive(
        selected.point.name, feeds.map { $0.header(0) }, (digest ?? .sha256).kind) : nil
    let output: any DiskOutput = archive ?? destination
    for feed in feeds {
      let copy = DiskCopy(
        feed, named: selected.selector, disk: nil, plan, to: output, image.output,
        workers: workerCount())
      try copy.copy()
    }
    try archive?.finish()
  }

  private func report(_ plan: ImagePlan, _ feeds: [RestoreFeed]) throws {
    let size = try naming(output) { try Files.status(output)?.size ?? 0 }
    let headers = feeds.map { $0.header(0) }
    try Console.result(
      json: Report(
        file: output, format: plan.format.rawValue, fileSize: size,
        volumes: headers.map { .init(name: $0.name, size: $0.size) }))
  }
}
