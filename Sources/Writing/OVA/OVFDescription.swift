/// A machine as an OVA describes it: as little as VMware's tools ask for.
///
/// DSP0243, Open Virtualization Format 1.1. A newer hardware family than the host knows is refused:
/// ESXi 6.5 knows vmx-13, and 10 is what ESXi 5.5 knew.
public struct OVFDescription: Sendable {
  /// One of the machine's disks, or what is known of it beforehand.
  public struct Disk: Sendable {
    /// The file's name in the archive.
    let file: String
    /// Bytes of the file.
    var fileByteCount: UInt64
    /// Bytes of the disk.
    let size: UInt64
    /// Bytes of the disk that are not known to be zeros.
    var populated: UInt64
  }

  static let hardware = "vmx-10"
  /// SCSI units of an adapter, of which one is the adapter's own.
  private static let disksPerAdapter = 15

  let name: String
  var disks: [Disk]
  private let processorCount = 2
  private let memoryMiB = 4096

  /// The description, filled up with line breaks to `byteCount` bytes if that is given.
  func text(byteCount: Int? = nil) -> [UInt8] {
    var bytes = Array(text.utf8)
    if let byteCount {
      bytes += [UInt8](repeating: 0x0A, count: byteCount - bytes.count)
    }
    return bytes
  }

  /// What `text` takes at most, whatever the numbers will be.
  var byteLimit: Int {
    var largest = self
    for index in disks.indices {
      largest.disks[index].fileByteCount = .max
      largest.disks[index].populated = .max
    }
    return Array(largest.text.utf8).count
  }

  /// `text` as it may stand in XML, in an attribute, too.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{fffe}", "\u{ffff}": result += "?"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private var text: String {
    let name = OVFDescription.escaped(name)
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
          xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
          xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
          xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
        <References>
      \(files)
        </References>
        <DiskSection>
          <Info>The disks</Info>
      \(diskEntries)
        </DiskSection>
        <VirtualSystem ovf:id="\(name)">
          <Info>A machine</Info>
          <Name>\(name)</Name>
          <OperatingSystemSection ovf:id="101">
            <Info>The kind of guest is not known</Info>
            <Description>Other 64-bit</Description>
          </OperatingSystemSection>
          <VirtualHardwareSection>
            <Info>The hardware</Info>
            <System>
              <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
              <vssd:InstanceID>0</vssd:InstanceID>
              <vssd:VirtualSystemIdentifier>\(name)</vssd:VirtualSystemIdentifier>
              <vssd:VirtualSystemType>\(OVFDescription.hardware)</vssd:VirtualSystemType>
            </System>
      \(items)
          </VirtualHardwareSection>
        </VirtualSystem>
      </Envelope>

      """
  }

  private var files: String {
    disks.enumerated().map { number, disk in
      "    <File ovf:href=\"\(OVFDescription.escaped(disk.file))\" ovf:id=\"file\(number + 1)\" "
        + "ovf:size=\"\(disk.fileByteCount)\"/>"
    }.joined(separator: "\n")
  }

  private var diskEntries: String {
    let format = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
    return disks.enumerated().map { number, disk in
      "    <Disk ovf:capacity=\"\(disk.size)\" ovf:capacityAllocationUnits=\"byte\" "
        + "ovf:diskId=\"vmdisk\(number + 1)\" ovf:fileRef=\"file\(number + 1)\" "
        + "ovf:format=\"\(format)\" ovf:populatedSize=\"\(disk.populated)\"/>"
    }.joined(separator: "\n")
  }

  /// Processors, memory, adapters and disks.
  private var items: String {
    var items = [
      item([
        ("AllocationUnits", "hertz * 10^6"), ("ElementName", "\(processorCount) virtual CPUs"),
        ("InstanceID", "1"), ("ResourceType", "3"), ("VirtualQuantity", "\(processorCount)"),
      ]),
      item([
        ("AllocationUnits", "byte * 2^20"), ("ElementName", "\(memoryMiB) MB of memory"),
        ("InstanceID", "2"), ("ResourceType", "4"), ("VirtualQuantity", "\(memoryMiB)"),
      ]),
    ]
    let adapters =
      (disks.count + OVFDescription.disksPerAdapter - 1) / OVFDescription.disksPerAdapter
    for adapter in 0..<adapters {
      items.append(
        item([
          ("Address", "\(adapter)"), ("ElementName", "SCSI controller \(adapter)"),
          ("InstanceID", "\(3 + adapter)"), ("ResourceSubType", "lsilogic"), ("ResourceType", "6"),
        ]))
    }
    for number in disks.indices {
      let (adapter, slot) = number.quotientAndRemainder(
        dividingBy: OVFDescription.disksPerAdapter)
      // Unit 7 is the adapter itself.
      let unit = slot < 7 ? slot : slot + 1
      items.append(
        item([
          ("AddressOnParent", "\(unit)"), ("ElementName", "Hard disk \(number + 1)"),
          ("HostResource", "ovf:/disk/vmdisk\(number + 1)"),
          ("InstanceID", "\(3 + adapters + number)"), ("Parent", "\(3 + adapter)"),
          ("ResourceType", "17"),
        ]))
    }
    return items.joined(separator: "\n")
  }

  /// Elements stand in the order of their names, as the schema wants it.
  private func item(_ elements: [(name: String, value: String)]) -> String {
    let lines = elements.map { "        <rasd:\($0.name)>\($0.value)</rasd:\($0.name)>" }
    return (["      <Item>"] + lines + ["      </Item>"]).joined(separator: "\n")
  }
}
