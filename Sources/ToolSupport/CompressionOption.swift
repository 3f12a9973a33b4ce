public import ArgumentParser
internal import Codecs

/// `zstd`, `zstd:N` or `none`.
public enum CompressionOption {
  /// What a shell offers.
  public static let completion = CompletionKind.list(["zstd", "zstd:3", "zstd:9", "none"])

  /// - Returns: zstd's level, nil for none.
  public static func level(_ text: String) throws(Failure) -> Int? {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if text == "none" { return nil }
    if parts[0] == "zstd" {
      if parts.count == 1 { return 1 }
      if let level = Int(parts[1]), ZstdCompressor.levels.contains(level) { return level }
    }
    throw Failure(
      .usage,
      "--compress \(text): not zstd, zstd:1 to zstd:\(ZstdCompressor.levels.upperBound) "
        + "or none")
  }
}
