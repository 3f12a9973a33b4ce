import Appliances
import Archives
import Blocks
import Bytes
import Codecs
import Platform

@testable import DiskImages

/// An OVF, and what it says of disks.
struct OVFTarget: FuzzTarget {
  func run(_ input: [UInt8]) throws {
    let descriptor = try OVFDescriptor(parsing: input)
    for disk in descriptor.disks {
      guard let file = disk.file else { continue }
      try Fuzz.require(MemberName.isPlain(file.name), "a file called \(file.name)")
    }
  }

  func samples() throws -> [[UInt8]] {
    [
      """
      <?xml version="1.0" encoding="UTF-8"?><Envelope xmlns:ovf="u"><References>
      <File ovf:id="file1" ovf:href="a.vmdk" ovf:size="100" ovf:compression="gzip"/>
      <File ovf:id="file2" ovf:href="b.vmdk" ovf:chunkSize="7"/></References><DiskSection>
      <Disk ovf:diskId="d1" ovf:fileRef="file1" ovf:capacity="8"
      ovf:capacityAllocationUnits="byte * 2^30"/><Disk ovf:diskId="d2" ovf:parentRef="d1"/>
      </DiskSection></Envelope>
      """
    ].map { Array($0.utf8) }
  }
}

/// A manifest.
struct ManifestTarget: FuzzTarget {
  func run(_ input: [UInt8]) throws {
    let manifest = try OVFManifest(parsing: input)
    for entry in manifest.entries {
      try Fuzz.require(entry.digest.count == entry.kind.byteCount, "a digest of another length")
      try manifest.check(entry.name, [entry.kind: entry.digest])
    }
  }

  func samples() throws -> [[UInt8]] {
    [
      Array("SHA256(a (1).ovf)= \(String(repeating: "ab", count: 32))\r\n".utf8),
      Array("SHA-1 (b) = \(String(repeating: "cd", count: 20))\n\n".utf8),
    ]
  }
}

/// A VMDK as a pipe delivers it: it is refused, saved, or given out in order and without gaps.
///
/// Whatever flows must be what the same bytes give when they are read as a file.
struct VMDKStreamTarget: FuzzTarget {
  func run(_ input: [UInt8]) throws {
    var head: [UInt8] = []
    let source = MemorySource(input)
    guard let stream = try VMDKStream(SourceStream(source), head: &head) else {
      try Fuzz.require(input.starts(with: head), "what was taken is not what came")
      return
    }
    guard try stream.prime() else {
      _ = try stream.save { bytes, place in
        try Fuzz.require(place < UInt64(input.count), "saved beyond what came")
        try Fuzz.require(bytes.count <= 4 << 20, "much is saved at once")
      }
      return
    }
    let segment = Segment()
    var position: UInt64 = 0
    var pieces: [(offset: UInt64, bytes: [UInt8])] = []
    while let piece = try stream.next() {
      switch piece {
      case .zeros(let range):
        try Fuzz.require(range.lowerBound == position && !range.isEmpty, "a gap before \(range)")
        position = range.upperBound
      case .segment(let packed):
        try Fuzz.require(packed.offset == position && packed.count > 0, "a gap before a segment")
        segment.reset(volume: 0, offset: packed.offset, count: packed.count)
        try packed.load(segment)
        try Fuzz.require(segment.runs.last?.range.upperBound == packed.count, "a part is missing")
        position += UInt64(packed.count)
        if pieces.count < 4 { pieces += data(of: segment) }
      }
    }
    try Fuzz.require(position == stream.size, "\(position) of \(stream.size) bytes came")
    // The stream was accepted as a whole: then its tables must tell the same.
    let file: VMDKImage
    do { file = try VMDKImage(opening: source) } catch { return }
    for piece in pieces {
      var bytes = [UInt8](repeating: 0, count: piece.bytes.count)
      var span = bytes.mutableSpan
      do { try file.read(into: &span, at: piece.offset) } catch { continue }
      try Fuzz.require(bytes == piece.bytes, "the file reads otherwise at \(piece.offset)")
    }
  }

  private func data(of segment: Segment) -> [(offset: UInt64, bytes: [UInt8])] {
    let buffer = segment.buffer
    return segment.runs.filter { $0.content == .data }.prefix(4).map { run in
      (segment.offset + UInt64(run.range.lowerBound), Array(buffer.span(run.range)))
    }
  }

  func samples() throws -> [[UInt8]] {
    guard let folder = Environment.value("VPIPE_FUZZ_IMAGES") else { return [] }
    return try Files.names(in: folder).filter { $0.hasSuffix(".stream") }.compactMap {
      try Files.contents("\(folder)/\($0)", limit: 120_000)
    }
  }
}
