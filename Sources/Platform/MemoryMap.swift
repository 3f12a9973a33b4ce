internal import Glibc

/// A file's bytes, mapped for reading.
///
/// The file must not shrink while it is mapped: only files that are never changed once published
/// (indexes) are mapped.
@safe public final class MemoryMap: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer?
  /// The length in bytes.
  public let count: Int

  public init(_ file: FileDescriptor) throws(SystemError) {
    let size = try file.status().size
    guard size <= UInt64(Int.max) else { throw SystemError("map", code: EFBIG) }
    count = Int(size)
    guard count > 0 else {
      unsafe base = nil
      return
    }
    let address = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, file.number, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw SystemError("map")
    }
    unsafe base = address
  }

  deinit { if let base = unsafe base { unsafe munmap(base, count) } }

  /// All the bytes.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      guard let base = unsafe base else {
        let none = Span<UInt8>()
        return unsafe _overrideLifetime(none, borrowing: self)
      }
      let span = unsafe Span<UInt8>(
        _unsafeStart: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)), count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
