import Platform

/// A file system with files in it, made by its own tools, without mounting it.
enum TestImage: String, CaseIterable, Sendable {
  case ext4
  case ext4Small = "ext4 with blocks of 1 KiB"
  case ext3
  case xfs = "XFS"
  case ntfs = "NTFS"
  case fat16 = "FAT16"
  case fat32 = "FAT32"
  case exFAT
  case btrfs

  /// What is put into it: the project's own sources.
  private static let sources =
    String(#filePath.dropLast("/Tests/AuditingTests/TestImage.swift".count)) + "/Sources"

  /// Makes it; nil when its tools are not installed.
  func make(in folder: String) throws -> String? {
    let path = "\(folder)/image"
    let file = try FileDescriptor(path, .create)
    try file.truncate(to: self == .btrfs ? 300 << 20 : 96 << 20)
    try file.close()
    switch self {
    case .ext4:
      return try run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", TestImage.sources, path], path)
    case .ext4Small:
      return try run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-d", TestImage.sources, path], path)
    case .ext3:
      return try run(["mke2fs", "-q", "-F", "-t", "ext3", "-d", TestImage.sources, path], path)
    case .btrfs: return try run(["mkfs.btrfs", "-q", "-f", "-r", TestImage.sources, path], path)
    case .fat16, .fat32:
      guard try run(["mkfs.fat", "-F", self == .fat16 ? "16" : "32", path], path) != nil else {
        return nil
      }
      return try run(["mcopy", "-s", "-i", path, TestImage.sources, "::/"], path)
    case .exFAT: return try makeExFAT(path)
    case .ntfs: return try makeNTFS(path)
    case .xfs: return try makeXFS(path, folder)
    }
  }

  private func run(_ words: [String], _ path: String) throws -> String? {
    guard let program = Command.path(of: words[0]) else { return nil }
    let result = try Command.run([program] + words.dropFirst())
    guard result.status == 0 else {
      throw Trouble(
        "\(words[0]): \(result.status): \(String(decoding: result.output, as: UTF8.self))")
    }
    return path
  }

  private struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  /// Files of the sources, enough to be noticed.
  private func someFiles() throws -> [String] {
    let folder = TestImage.sources + "/GuestLayouts"
    return try Files.names(in: folder).filter { $0.hasSuffix(".swift") }.sorted().prefix(8).map {
      "\(folder)/\($0)"
    }
  }

  private func makeNTFS(_ path: String) throws -> String? {
    guard try run(["mkntfs", "-q", "-F", path], path) != nil else { return nil }
    for file in try someFiles() {
      guard try run(["ntfscp", "-f", path, file, Files.name(of: file)], path) != nil else {
        return nil
      }
    }
    return path
  }

  private func makeExFAT(_ path: String) throws -> String? {
    guard try run(["mkfs.exfat", path], path) != nil else { return nil }
    var writer = try ExFATWriter(path)
    for (index, file) in try someFiles().enumerated() {
      let bytes = try FileDescriptor(file, .read).readAll(limit: 1 << 20) ?? []
      try writer.add(Files.name(of: file), bytes, isChain: index % 2 == 1)
      if index == 4 { try writer.addFolder("folder", with: "inside", bytes) }
    }
    try writer.finish()
    // The oracle: what the writer made is a volume as it should be.
    return try run(["fsck.exfat", "-n", path], path)
  }

  private func makeXFS(_ path: String, _ folder: String) throws -> String? {
    // XFS wants more room than the others.
    let file = try FileDescriptor(path, .update)
    try file.truncate(to: 320 << 20)
    try file.close()
    var text = "boot 0 0\nd--755 0 0\n"
    for file in try someFiles() { text += "\(Files.name(of: file)) ---644 0 0 \(file)\n" }
    text += "$\n$\n"
    let list = try FileDescriptor("\(folder)/proto", .create)
    try list.write(text)
    try list.close()
    return try run(["mkfs.xfs", "-q", "-f", "-p", "\(folder)/proto", path], path)
  }
}
