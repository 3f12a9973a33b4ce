public import Bytes
internal import CCrypto
internal import CXXHash

/// XXH3-64: guards frames and directories against accidents; never decides what is stored.
public enum Checksum {
  public static func of(_ bytes: Span<UInt8>, seed: UInt64 = 0) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe cxx_hash64($0.baseAddress, $0.count, seed) }
  }

  public static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
    of(bytes.span, seed: seed)
  }
}

/// XXH64, which btrfs can use for its blocks.
public enum XXH64 {
  public static func of(_ bytes: Span<UInt8>) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe CXXHash.XXH64($0.baseAddress, $0.count, 0) }
  }
}

/// XXH3-64 over bytes that come piece by piece.
@safe public final class RunningChecksum {
  private let state: OpaquePointer

  public init() {
    guard let state = unsafe XXH3_createState() else { preconditionFailure("out of memory") }
    unsafe self.state = state
    unsafe _ = XXH3_64bits_reset(state)
  }

  deinit { unsafe _ = XXH3_freeState(state) }

  public func update(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes {
      unsafe _ = XXH3_64bits_update(state, $0.baseAddress, $0.count)
    }
  }

  /// The checksum of all that was added.
  public func finish() -> UInt64 { unsafe XXH3_64bits_digest(state) }
}

/// SHA-256 by libcrypto; one object a thread.
@safe public final class SHA256 {
  private let context: OpaquePointer
  private let algorithm: OpaquePointer

  public init() {
    guard let context = unsafe EVP_MD_CTX_new(),
      let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)
    else { preconditionFailure("libcrypto has no SHA-256") }
    unsafe self.context = context
    unsafe self.algorithm = algorithm
    begin()
  }

  deinit {
    unsafe EVP_MD_free(algorithm)
    unsafe EVP_MD_CTX_free(context)
  }

  private func begin() {
    guard unsafe EVP_DigestInit_ex(context, algorithm, nil) == 1 else {
      preconditionFailure("libcrypto could not begin a SHA-256")
    }
  }

  /// Adds bytes to the running digest.
  public func update(_ bytes: Span<UInt8>) {
    let status = unsafe bytes.withUnsafeBytes {
      unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count)
    }
    guard status == 1 else { preconditionFailure("libcrypto failed in a SHA-256") }
  }

  public func update(_ bytes: [UInt8]) { update(bytes.span) }

  /// The digest of all that was added; begins anew.
  public func finish() -> Digest {
    var result = [UInt8](repeating: 0, count: Digest.byteCount)
    let status = unsafe result.withUnsafeMutableBufferPointer {
      unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
    }
    guard status == 1, let digest = Digest(result) else {
      preconditionFailure("libcrypto failed in a SHA-256")
    }
    begin()
    return digest
  }

  public func digest(of bytes: Span<UInt8>) -> Digest {
    update(bytes)
    return finish()
  }

  public static func digest(of bytes: [UInt8]) -> Digest { SHA256().digest(of: bytes.span) }
}

/// The secret that fingerprints are computed with.
public struct FingerprintKey: Sendable {
  /// What XXH3 is keyed with, expanded from the key by SHA-256.
  let secret: [UInt8]
  /// Tells keys apart without telling the key.
  public let tag: UInt64

  /// - Parameter key: 32 random bytes.
  public init(_ key: [UInt8]) {
    secret = (0..<6).flatMap { SHA256.digest(of: Array("fingerprint".utf8) + key + [$0]).bytes }
    tag = SHA256.digest(of: Array("fingerprint tag".utf8) + key).words.0
  }
}

/// A keyed XXH3-128 over bytes that come piece by piece; one object a thread.
@safe public final class Fingerprinter {
  private let state: OpaquePointer
  private let key: FingerprintKey
  private static let zeros = [UInt8](repeating: 0, count: 65536)

  public init(_ key: FingerprintKey) {
    self.key = key
    guard let state = unsafe XXH3_createState() else { preconditionFailure("out of memory") }
    unsafe self.state = state
    begin()
  }

  deinit { unsafe _ = XXH3_freeState(state) }

  private func begin() {
    unsafe key.secret.withUnsafeBytes { secret in
      unsafe _ = XXH3_128bits_reset_withSecret(
        state, secret.baseAddress, secret.count)
    }
  }

  public func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes {
      unsafe _ = cxx_update128(state, $0.baseAddress, $0.count)
    }
  }

  public func updateZeros(_ count: Int) {
    var left = count
    while left > 0 {
      let part = min(left, Fingerprinter.zeros.count)
      update(Fingerprinter.zeros.span.extracting(0..<part))
      left -= part
    }
  }

  /// The hash of all that was added; begins anew.
  public func finish() -> UInt128 {
    let hash = unsafe XXH3_128bits_digest(state)
    begin()
    return UInt128(hash.high64) << 64 | UInt128(hash.low64)
  }
}
