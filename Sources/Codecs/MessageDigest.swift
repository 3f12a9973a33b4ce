internal import Bytes
internal import CCrypto

/// A running digest of one of the kinds that other programs' manifests use, by libcrypto; one
/// object a thread.
@safe public final class MessageDigest {
  /// Which digest.
  public enum Kind: String, Sendable, CaseIterable {
    case sha1 = "SHA1"
    case sha256 = "SHA256"
    case sha512 = "SHA512"

    /// How many bytes come out.
    public var byteCount: Int {
      switch self {
      case .sha1: 20
      case .sha256: 32
      case .sha512: 64
      }
    }
  }

  public let kind: Kind
  private let context: OpaquePointer

  public init(_ kind: Kind) {
    self.kind = kind
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    unsafe self.context = context
    let algorithm =
      switch kind {
      case .sha1: unsafe EVP_sha1()
      case .sha256: unsafe EVP_sha256()
      case .sha512: unsafe EVP_sha512()
      }
    guard unsafe EVP_DigestInit_ex(context, algorithm, nil) == 1 else {
      preconditionFailure("libcrypto has no \(kind.rawValue)")
    }
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  /// Adds bytes to the running digest.
  public func update(_ bytes: Span<UInt8>) {
    let status = unsafe bytes.withUnsafeBytes {
      unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count)
    }
    guard status == 1 else { preconditionFailure("libcrypto failed in a \(kind.rawValue)") }
  }

  /// The digest of all that was added; nothing can be added after it.
  public func finish() -> [UInt8] {
    var result = [UInt8](repeating: 0, count: kind.byteCount)
    let status = unsafe result.withUnsafeMutableBufferPointer {
      unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
    }
    guard status == 1 else { preconditionFailure("libcrypto failed in a \(kind.rawValue)") }
    return result
  }
}
