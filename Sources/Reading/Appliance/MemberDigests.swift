internal import Appliances
internal import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// Computes digests of several kinds over the same bytes.
final class Digesters {
  private let digests: [MessageDigest]
  private(set) var byteCount: UInt64 = 0

  init(_ kinds: [MessageDigest.Kind]) {
    digests = Set(kinds).map { MessageDigest($0) }
  }

  func update(_ bytes: Span<UInt8>) {
    for digest in digests { digest.update(bytes) }
    byteCount += UInt64(bytes.count)
  }

  func finish() -> [MessageDigest.Kind: [UInt8]] {
    Dictionary(uniqueKeysWithValues: digests.map { ($0.kind, $0.finish()) })
  }

  /// The digests of `bytes`.
  static func of(
    _ bytes: [UInt8], _ kinds: [MessageDigest.Kind]
  ) -> [MessageDigest.Kind: [UInt8]] {
    let digesters = Digesters(kinds)
    digesters.update(bytes.span)
    return digesters.finish()
  }
}

/// A stream that is read once, while its digests are computed.
final class DigestedStream: ByteStream {
  private let stream: any ByteStream
  let digesters: Digesters

  init(_ stream: any ByteStream, _ kinds: [MessageDigest.Kind]) {
    self.stream = stream
    digesters = Digesters(kinds)
  }

  func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    let got = try stream.read(into: &bytes)
    digesters.update(bytes.span.extracting(0..<got))
    return got
  }

  /// Reads what is left.
  func drain() throws {
    var piece = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      var span = piece.mutableSpan
      if try read(into: &span) == 0 { return }
    }
  }
}

/// Compares the files of an appliance with its manifest, beside whatever else reads them.
final class ManifestCheck: Sendable {
  private final class Job: Sendable {
    let source: any BlockSource
    let name: String
    let manifest: OVFManifest

    init(_ source: any BlockSource, _ name: String, _ manifest: OVFManifest) {
      self.source = source
      self.name = name
      self.manifest = manifest
    }
  }

  /// The appliance's path.
  let path: String
  private let jobs: [Job]
  /// Nil until it has begun.
  private let workers = Locked<Workers<Job>?>(nil)
  private let isStopped = Locked(false)

  /// - Parameters:
  ///   - files: The files by name.
  ///   - manifest: What they are compared with.
  ///   - path: The appliance's path, for messages.
  init(
    _ files: [(name: String, source: any BlockSource)], _ manifest: OVFManifest, _ path: String
  ) {
    self.path = path
    jobs = files.map { Job($0.source, $0.name, manifest) }
  }

  /// Begins, in a thread of its own.
  func start() {
    let isStopped = isStopped
    let started = Workers<Job>(count: 1, window: max(jobs.count, 1)) { job in
      try ManifestCheck.check(job, isStopped)
    }
    for job in jobs { started.give(job) }
    workers.with { $0 = started }
  }

  deinit {
    isStopped.with { $0 = true }
    workers.with { $0 }?.close()
  }

  private static func check(_ job: Job, _ isStopped: Locked<Bool>) throws {
    let digesters = Digesters(job.manifest.kinds(of: job.name))
    let buffer = Buffer(count: 1 << 20)
    var position: UInt64 = 0
    while position < job.source.size {
      if isStopped.with({ $0 }) { return }
      let count = Int(min(UInt64(buffer.count), job.source.size - position))
      var target = buffer.mutableSpan(0..<count)
      try job.source.read(into: &target, at: position)
      digesters.update(buffer.span(0..<count))
      position += UInt64(count)
    }
    try job.manifest.check(job.name, digesters.finish())
  }

  /// Waits for all files.
  ///
  /// - Throws: `FormatError` for the first one that is not as the manifest tells.
  func finish() throws {
    guard let workers = workers.with({ $0 }) else { return }
    while try workers.take() != nil {}
  }
}
