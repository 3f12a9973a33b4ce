/// What is known of a volume before its bytes: the `volume` frame of a stream.
public struct VolumeHeader: Equatable, Sendable {
  /// A volume's number within its stream, from 0.
  public var number: UInt32
  /// The size in bytes.
  public var size: UInt64
  /// Further facts by name, in order; unknown ones are passed on.
  public var fields: [Field]

  /// One fact.
  ///
  /// Neither part may hold a NUL; a key holds no `=`.
  public struct Field: Equatable, Sendable {
    public let key: String
    public let value: String

    public init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The most bytes that all fields of a volume may take.
  public static let fieldByteLimit = 65536
  /// The most bytes that a volume may have: 64 PiB, so that sums of offsets never overflow.
  public static let sizeLimit: UInt64 = 1 << 56

  public init(number: UInt32, size: UInt64, fields: [Field] = []) {
    self.number = number
    self.size = size
    self.fields = fields
  }

  public subscript(key: String) -> String? {
    get { fields.first { $0.key == key }?.value }
    set {
      fields.removeAll { $0.key == key }
      if let value = newValue { fields.append(Field(key, value)) }
    }
  }

  /// The volume's name within its machine, such as `disk0`.
  public var name: String {
    get { self["name"] ?? "disk\(number)" }
    set { self["name"] = newValue }
  }

  /// Bytes of a logical sector.
  public var sectorSize: UInt32 {
    get { self["sector-size"].flatMap { UInt32($0) } ?? 512 }
    set { self["sector-size"] = "\(newValue)" }
  }

  /// The format that the volume was read from, such as `raw`.
  public var format: String? {
    get { self["format"] }
    set { self["format"] = newValue }
  }

  /// The id of the point that `unchanged` holes refer to.
  public var base: String? {
    get { self["base"] }
    set { self["base"] = newValue }
  }
}
