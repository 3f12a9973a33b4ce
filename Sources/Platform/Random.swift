internal import CLinux

/// Randomness from the kernel.
public enum Random {
  public static func bytes(_ count: Int) throws(SystemError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    let status = unsafe result.withUnsafeMutableBytes {
      unsafe cl_random($0.baseAddress, $0.count)
    }
    if status != 0 { throw SystemError("getrandom") }
    return result
  }
}
