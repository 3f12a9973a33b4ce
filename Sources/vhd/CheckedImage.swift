internal import ArgumentParser
internal import Blocks
internal import DiskImages
internal import ToolSupport

/// Which format an image is taken for by the commands that look into its structures.
struct CheckedImage: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The format that the image is in, instead of looking for it: vhd or vhdx.",
      valueName: "format"),
    completion: .list(CheckedFormat.allCases.map(\.rawValue)))
  var format: String?

  func validate() throws {
    if let format, CheckedFormat(rawValue: format) == nil {
      throw ValidationError("--format takes vhd or vhdx")
    }
  }

  /// The format of the image in `source`.
  ///
  /// - Parameter path: Its name, for messages.
  func format(of source: any BlockSource, _ path: String) throws -> CheckedFormat {
    if let format = format.flatMap({ CheckedFormat(rawValue: $0) }) { return format }
    if let format = try CheckedFormat.recognize(source) { return format }
    let other = try DiskFormats.recognize(source).name
    guard other == "raw" else {
      throw Failure(.impossible, "\(path): looks like \(other), not like a VHD or VHDX")
    }
    // A fixed VHD is a raw disk but for its footer, so its name is all that is left to tell.
    if NameClaim(path, option: nil).promises(VHDImage.name) { return .vhd }
    throw Failure(
      .damaged, "\(path): neither begins nor ends like a VHD or VHDX",
      hint: "--format vhd looks for what is left of one")
  }
}
