internal import Blocks
internal import Platform
public import Writing

/// An OVA whose disks are written one after the other.
public final class OVAOutput: DiskOutput {
  private let archive: OVAFile
  private let output: ImageOutput
  private let spool: FileDescriptor?

  /// - Parameters:
  ///   - archive: The archive, with no disk in it.
  ///   - output: Where it goes.
  ///   - spool: The file that it is built in, if that is not the output's.
  init(_ archive: OVAFile, to output: ImageOutput, spool: FileDescriptor?) {
    self.archive = archive
    self.output = output
    self.spool = spool
  }

  public var name: String { output.name }
  public var isStandardOutput: Bool { output.isStandardOutput }

  public func target(
    _ size: UInt64, sectorSize: UInt32, recycle: @escaping Recycling
  ) throws(Failure) -> any DiskTarget {
    try naming(name) {
      try archive.beginDisk(identifier: try Random.bytes(16), recycle: recycle)
    }
  }

  public func writing(_ body: () throws -> Void) throws(Failure) { try output.writing(body) }

  /// Ends the disk; the archive goes on.
  public func commit() throws(Failure) { try writing { try archive.endDisk() } }

  public func discard() { output.discard() }

  /// Completes the archive and gives it its name.
  public func finish() throws(Failure) {
    do {
      try writing {
        try archive.finish()
        if let spool { try SpoolFile.copy(spool, to: .standardOutput) }
      }
      try output.commit()
    } catch {
      discard()
      throw error
    }
  }
}
