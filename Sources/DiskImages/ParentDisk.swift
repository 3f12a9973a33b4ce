internal import Blocks
internal import Bytes

/// A disk in another file that an image builds on; its errors tell the file.
final class ParentDisk: BlockSource {
  private let disk: any BlockSource
  private let companion: Companion
  private let role: CompanionRole

  var size: UInt64 { disk.size }
  var sectorSize: UInt32 { disk.sectorSize }

  /// - Parameters:
  ///   - disk: What the file holds.
  ///   - companion: The file.
  ///   - role: What it is to the image.
  init(_ disk: any BlockSource, in companion: Companion, as role: CompanionRole) {
    self.disk = disk
    self.companion = companion
    self.role = role
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    do {
      try disk.read(into: &bytes, at: offset)
    } catch {
      throw companion.error(error, role)
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    do {
      return try disk.nextData(at: offset)
    } catch {
      throw companion.error(error, role)
    }
  }
}

extension Companion {
  /// Opens what the file holds; an error of that tells the file.
  func opened<Disk>(as role: CompanionRole, _ open: (any BlockSource) throws -> Disk) throws -> Disk
  {
    do {
      return try open(source)
    } catch {
      throw self.error(error, role)
    }
  }

  /// The error with the file's name; trouble of the medium stays what it is, as it may be salvaged.
  func error(_ error: any Error, _ role: CompanionRole) -> any Error {
    switch error {
    case let error as SourceError: error.inFile(path)
    case let error as FormatError: error.inFile("\(role.rawValue) '\(path)'")
    default: error
    }
  }

  /// What the image says of the file, and the file does not bear out.
  func mismatch(_ role: CompanionRole, _ text: String) -> CompanionError {
    CompanionError(role, path, .impossible(text))
  }
}
