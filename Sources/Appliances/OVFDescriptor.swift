internal import Archives
internal import Bytes

/// What an OVF says of a machine's disks and of the files that it comes in.
///
///     <Envelope>
///       <References>
///         <File ovf:id="file1" ovf:href="app-disk1.vmdk" ovf:size="..." ovf:compression="gzip"/>
///       </References>
///       <DiskSection>
///         <Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="8"
///               ovf:capacityAllocationUnits="byte * 2^30" ovf:format="..."/>
///       </DiskSection>
///     </Envelope>
///
/// Names are those of one of OVF's namespaces, or of none, as there are writers that leave the prefix
/// out; what vendors add under their own names is theirs. DMTF DSP0243, Open Virtualization Format
/// Specification, sections 7.1 and 9.1.
public struct OVFDescriptor: Sendable {
  /// The most bytes of a descriptor, and the most files and disks in it.
  public static let byteLimit = 8 << 20
  public static let fileLimit = 4096

  /// A file that belongs to the machine.
  public struct File: Equatable, Sendable {
    public let id: String
    /// A plain name: no path, no URL.
    public let name: String
    /// The size in bytes that the descriptor tells.
    public let size: UInt64?
    /// How the file is compressed: gzip, or nil.
    public let compression: String?
    /// Bytes of each piece, when the file comes in pieces.
    public let chunkSize: UInt64?
  }

  /// A disk of the machine.
  public struct Disk: Equatable, Sendable {
    public let id: String
    /// The file it is in; nil for a disk that is empty.
    public let file: File?
    /// The disk's size in bytes; nil where its unit is not known.
    public let capacity: UInt64?
    /// Other disks that begin with the content of the same file.
    public fileprivate(set) var sharers: [String] = []
  }

  /// In the order of the references, which is that of the archive.
  public private(set) var files: [File] = []
  /// In the order of their files; empty disks at the end.
  public private(set) var disks: [Disk] = []

  /// - Parameters:
  ///   - bytes: The whole descriptor.
  ///   - name: Its name, for errors.
  /// - Throws: `FormatError` for what is malformed or beyond a limit.
  public init(parsing bytes: [UInt8], _ name: String = "OVF") throws {
    guard bytes.count <= OVFDescriptor.byteLimit else {
      throw FormatError(name, at: 0, .impossible("\(bytes.count) bytes are over the limit"))
    }
    let gatherer = Gatherer(name)
    try XMLReader.read(bytes, of: name, gatherer)
    guard gatherer.isEnvelope else {
      throw FormatError(name, at: 0, .impossible("no OVF: the document is no Envelope"))
    }
    files = gatherer.files
    try resolve(gatherer.disks, name)
  }

  /// Finds each disk's file.
  private mutating func resolve(_ found: [Gatherer.Disk], _ name: String) throws {
    var ids: Set<String> = []
    for file in files where !ids.insert(file.id).inserted {
      throw FormatError(name, at: 0, .impossible("two files have the id \(file.id)"))
    }
    var names: Set<String> = []
    for file in files where !names.insert(file.name).inserted {
      throw FormatError(name, at: 0, .impossible("two files are called \(file.name)"))
    }
    var diskIDs: Set<String> = []
    for disk in found {
      guard diskIDs.insert(disk.id).inserted else {
        throw FormatError(name, at: 0, .impossible("two disks have the id \(disk.id)"))
      }
      if let parent = disk.parent {
        throw FormatError(
          name, at: 0, .unsupported("disk \(disk.id), a delta of disk \(parent),"))
      }
      guard let reference = disk.file else {
        disks.append(Disk(id: disk.id, file: nil, capacity: disk.capacity))
        continue
      }
      guard let file = files.first(where: { $0.id == reference }) else {
        throw FormatError(
          name, at: 0, .impossible("disk \(disk.id) is in file \(reference), which is not listed"))
      }
      // Several disks may begin with the same content, which is read once.
      if let first = disks.firstIndex(where: { $0.file?.id == file.id }) {
        disks[first].sharers.append(disk.id)
      } else {
        disks.append(Disk(id: disk.id, file: file, capacity: disk.capacity))
      }
    }
    let order = Dictionary(uniqueKeysWithValues: files.enumerated().map { ($1.id, $0) })
    func place(_ disk: Disk) -> Int { disk.file.flatMap { order[$0.id] } ?? files.count }
    disks = disks.enumerated().sorted { (place($0.1), $0.0) < (place($1.1), $1.0) }.map(\.1)
  }

  /// Bytes of a unit such as `byte * 2^30`; nil for one that is not known.
  static func unit(_ text: String) -> UInt64? {
    let parts = text.split(separator: "*", omittingEmptySubsequences: false).map {
      $0.filter { !$0.isWhitespace }.lowercased()
    }
    guard let first = parts.first, first == "byte" || first == "bytes" else { return nil }
    var unit: UInt64 = 1
    for part in parts.dropFirst() {
      let numbers = part.split(separator: "^", omittingEmptySubsequences: false).map { UInt64($0) }
      guard let base = numbers[0], numbers.count <= 2,
        let power = numbers.count == 2 ? numbers[1] : 1,
        power < 64
      else { return nil }
      for _ in 0..<power {
        let (product, overflow) = unit.multipliedReportingOverflow(by: base)
        if overflow { return nil }
        unit = product
      }
    }
    return unit
  }
}

/// Takes from the document what is wanted.
private final class Gatherer: XMLReader.Listener {
  /// A disk whose file is not looked up yet.
  struct Disk {
    let id: String
    let file: String?
    let parent: String?
    let capacity: UInt64?
  }

  /// OVF 1 and 2, and the drafts that VMware's tools wrote before.
  private static let spaces: Set<String> = [
    "", "http://schemas.dmtf.org/ovf/envelope/1", "http://schemas.dmtf.org/ovf/envelope/2",
    "http://schemas.dmtf.org/ovf/1/envelope", "http://www.vmware.com/schema/ovf/1/envelope",
  ]

  private let name: String
  /// The root's namespace, which is OVF's, whatever it is called.
  private var space = ""
  var isEnvelope = false
  var files: [OVFDescriptor.File] = []
  var disks: [Disk] = []

  init(_ name: String) { self.name = name }

  private func isOurs(_ name: XMLName) -> Bool {
    name.space == space || Gatherer.spaces.contains(name.space)
  }

  func element(_ element: XMLName, _ attributes: [XMLName: String], in parents: [XMLName]) throws {
    if parents.isEmpty {
      isEnvelope = element.local == "Envelope"
      space = element.space
    }
    guard files.count < OVFDescriptor.fileLimit, disks.count < OVFDescriptor.fileLimit else {
      throw FormatError(name, at: 0, .impossible("more than \(OVFDescriptor.fileLimit) files"))
    }
    guard let parent = parents.last, isOurs(element), isOurs(parent) else { return }
    if element.local == "File", parent.local == "References" { try addFile(ours(attributes)) }
    if element.local == "Disk", ["DiskSection", "Section"].contains(parent.local) {
      try addDisk(ours(attributes))
    }
  }

  /// The attributes that the standard speaks of, by their local names.
  private func ours(_ attributes: [XMLName: String]) throws(FormatError) -> [String: String] {
    var found: [String: String] = [:]
    for (key, value) in attributes where isOurs(key) {
      // Other programs may take the other one.
      if let other = found.updateValue(value, forKey: key.local), other != value {
        throw FormatError(
          name, at: 0, .impossible("two attributes \(key.local): '\(value)' and '\(other)'"))
      }
    }
    return found
  }

  private func addFile(_ attributes: [String: String]) throws {
    guard let id = attributes["id"], let href = attributes["href"] else {
      throw FormatError(name, at: 0, .impossible("a file without id or href"))
    }
    guard MemberName.isPlain(href) else {
      throw FormatError(name, at: 0, .impossible("a file called '\(href)', which is no plain name"))
    }
    let compression = attributes["compression"].flatMap {
      ["", "identity"].contains($0) ? nil : $0
    }
    guard compression == nil || compression == "gzip" else {
      throw FormatError(name, at: 0, .unsupported("\(href): compression \(compression ?? "")"))
    }
    files.append(
      OVFDescriptor.File(
        id: id, name: href, size: try number("size", attributes), compression: compression,
        chunkSize: try number("chunkSize", attributes)))
  }

  private func addDisk(_ attributes: [String: String]) throws {
    guard let id = attributes["diskId"] else {
      throw FormatError(name, at: 0, .impossible("a disk without diskId"))
    }
    var capacity: UInt64?
    // A capacity may also be the name of a property that whoever deploys it sets.
    if let text = attributes["capacity"], let count = UInt64(text),
      let unit = OVFDescriptor.unit(attributes["capacityAllocationUnits"] ?? "byte")
    {
      let (product, overflow) = count.multipliedReportingOverflow(by: unit)
      if overflow {
        throw FormatError(name, at: 0, .impossible("disk \(id): a capacity of \(text) units"))
      }
      capacity = product
    }
    disks.append(
      Disk(
        id: id, file: attributes["fileRef"], parent: attributes["parentRef"], capacity: capacity))
  }

  private func number(_ key: String, _ attributes: [String: String]) throws -> UInt64? {
    guard let text = attributes[key] else { return nil }
    guard let number = UInt64(text) else {
      throw FormatError(name, at: 0, .impossible("\(key) '\(text)' of a file"))
    }
    return number
  }
}

/// Names of the files of an appliance.
public enum MemberName {
  /// The most bytes of a name.
  public static let byteLimit = 255

  /// Whether a name names a file beside the descriptor, and cannot mean anything else.
  public static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= byteLimit && name != "." && name != ".."
      && !name.unicodeScalars.contains {
        $0 == "/" || $0 == "\\" || $0.value < 0x20 || (0x7F...0x9F).contains($0.value)
      }
  }

  /// A member's name without a `./` in front.
  public static func trimmed(_ name: String) -> String {
    var rest = name[...]
    while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
    return String(rest)
  }

  /// Whether the name ends so, in either case.
  public static func ends(_ name: String, _ ending: String) -> Bool {
    name.lowercased().hasSuffix(ending)
  }

  /// The name without its last extension.
  public static func base(_ name: String) -> String {
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }
}
