/// A small generator (SplitMix64) with a seed that a failing test can print.
public struct Noise: RandomNumberGenerator {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 to `limit` - 1.
  public mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// `count` bytes that do not compress.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let raw = UnsafeMutableRawBufferPointer(buffer)
      var offset = 0
      while offset + 8 <= count {
        raw.storeBytes(of: next().littleEndian, toByteOffset: offset, as: UInt64.self)
        offset += 8
      }
      var last = next()
      while offset < count {
        raw[offset] = UInt8(truncatingIfNeeded: last)
        last >>= 8
        offset += 1
      }
      initialized = count
    }
  }

  /// `count` bytes, always the same for one seed.
  public static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var noise = Noise(seed)
    return noise.bytes(count)
  }
}

/// A seed that differs from run to run; tests print it when they fail.
public func freshSeed() -> UInt64 { UInt64.random(in: 0..<1_000_000) }
