/// Features that a system may ignore.
///
/// Linux, fs/ext4/ext4.h, `EXT4_FEATURE_COMPAT_…`.
struct ExtCompatible: OptionSet {
  let rawValue: UInt32

  static let preallocation = ExtCompatible(rawValue: 0x1)
  static let imagicInodes = ExtCompatible(rawValue: 0x2)
  static let hasJournal = ExtCompatible(rawValue: 0x4)
  static let attributes = ExtCompatible(rawValue: 0x8)
  static let resizeInode = ExtCompatible(rawValue: 0x10)
  static let directoryIndex = ExtCompatible(rawValue: 0x20)
  static let sparseSuper2 = ExtCompatible(rawValue: 0x200)
  static let fastCommit = ExtCompatible(rawValue: 0x400)
  static let stableInodes = ExtCompatible(rawValue: 0x800)
  static let orphanFile = ExtCompatible(rawValue: 0x1000)

  /// Not among them: LAZY_BG and the snapshots of next3, whose bitmaps mean something else.
  static let known: ExtCompatible = [
    .preallocation, .imagicInodes, .hasJournal, .attributes, .resizeInode, .directoryIndex,
    .sparseSuper2, .fastCommit, .stableInodes, .orphanFile,
  ]
}

/// Features without which nothing can be read.
///
/// Linux, `EXT4_FEATURE_INCOMPAT_…`.
struct ExtIncompatible: OptionSet {
  let rawValue: UInt32

  static let fileType = ExtIncompatible(rawValue: 0x2)
  static let needsRecovery = ExtIncompatible(rawValue: 0x4)
  static let journalDevice = ExtIncompatible(rawValue: 0x8)
  static let metaGroups = ExtIncompatible(rawValue: 0x10)
  static let extents = ExtIncompatible(rawValue: 0x40)
  static let wide = ExtIncompatible(rawValue: 0x80)
  static let multiMountProtection = ExtIncompatible(rawValue: 0x100)
  static let flexGroups = ExtIncompatible(rawValue: 0x200)
  static let attributeInodes = ExtIncompatible(rawValue: 0x400)
  static let checksumSeed = ExtIncompatible(rawValue: 0x2000)
  static let largeDirectories = ExtIncompatible(rawValue: 0x4000)
  static let inlineData = ExtIncompatible(rawValue: 0x8000)
  static let encryption = ExtIncompatible(rawValue: 0x10000)
  static let caseFolding = ExtIncompatible(rawValue: 0x20000)

  /// Not among them: compression, which was never in Linux, and Lustre's data in directories.
  static let known: ExtIncompatible = [
    .fileType, .needsRecovery, .journalDevice, .metaGroups, .extents, .wide,
    .multiMountProtection, .flexGroups, .attributeInodes, .checksumSeed, .largeDirectories,
    .inlineData, .encryption, .caseFolding,
  ]
}

/// Features without which nothing can be written.
///
/// Linux, `EXT4_FEATURE_RO_COMPAT_…`.
struct ExtReadOnly: OptionSet {
  let rawValue: UInt32

  static let sparseSuper = ExtReadOnly(rawValue: 0x1)
  static let largeFile = ExtReadOnly(rawValue: 0x2)
  static let btreeDirectories = ExtReadOnly(rawValue: 0x4)
  static let hugeFile = ExtReadOnly(rawValue: 0x8)
  static let groupChecksums = ExtReadOnly(rawValue: 0x10)
  static let manyLinks = ExtReadOnly(rawValue: 0x20)
  static let extraInodeSize = ExtReadOnly(rawValue: 0x40)
  static let quota = ExtReadOnly(rawValue: 0x100)
  static let clusters = ExtReadOnly(rawValue: 0x200)
  static let metadataChecksums = ExtReadOnly(rawValue: 0x400)
  static let readOnly = ExtReadOnly(rawValue: 0x1000)
  static let projects = ExtReadOnly(rawValue: 0x2000)
  static let sharedBlocks = ExtReadOnly(rawValue: 0x4000)
  static let verity = ExtReadOnly(rawValue: 0x8000)
  static let orphansPresent = ExtReadOnly(rawValue: 0x10000)

  /// Not among them: snapshots and replicas, which no released system makes.
  static let known: ExtReadOnly = [
    .sparseSuper, .largeFile, .btreeDirectories, .hugeFile, .groupChecksums, .manyLinks,
    .extraInodeSize, .quota, .clusters, .metadataChecksums, .readOnly, .projects, .sharedBlocks,
    .verity, .orphansPresent,
  ]
}

/// The three sets of a file system's features.
struct ExtFeatures {
  var compatible: ExtCompatible
  var incompatible: ExtIncompatible
  var readOnly: ExtReadOnly

  /// The features that vpipe does not know, for the user; nil when it knows them all.
  var unknown: String? {
    let sets = [
      ("compatible", compatible.subtracting(.known).rawValue),
      ("incompatible", incompatible.subtracting(.known).rawValue),
      ("read-only", readOnly.subtracting(.known).rawValue),
    ].filter { $0.1 != 0 }
    guard !sets.isEmpty else { return nil }
    return sets.map { "\($0.0) feature 0x\(String($0.1, radix: 16))" }.joined(separator: ", ")
  }

  /// Whether group descriptors carry checksums and flags for what was never initialized.
  var hasGroupChecksums: Bool {
    !readOnly.isDisjoint(with: [.groupChecksums, .metadataChecksums])
  }

  /// The name of the file system: one format, told apart by what it uses, as libblkid does.
  var kind: String {
    if incompatible.contains(.journalDevice) { return "ext journal" }
    let newer: ExtIncompatible = [.extents, .wide, .flexGroups]
    let newerToWrite: ExtReadOnly = [
      .hugeFile, .groupChecksums, .manyLinks, .extraInodeSize, .metadataChecksums,
    ]
    if !incompatible.isDisjoint(with: newer) || !readOnly.isDisjoint(with: newerToWrite) {
      return "ext4"
    }
    return compatible.contains(.hasJournal) ? "ext3" : "ext2"
  }
}
