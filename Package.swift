// swift-tools-version: 6.2
import PackageDescription

/// One rule set for every Swift target: language mode 6, unsafe code must be spelled `unsafe`,
/// warnings are errors.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

/// A C library of the distribution, found through pkg-config.
func system(_ name: String, _ pkgConfig: String, _ package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

func library(_ name: String, _ dependencies: [String]) -> Target {
  .target(
    name: name, dependencies: dependencies.map { .init(stringLiteral: $0) },
    swiftSettings: strict)
}

func tool(_ name: String, _ dependencies: [String]) -> Target {
  .executableTarget(
    name: name,
    dependencies: dependencies.map { .init(stringLiteral: $0) }
      + [.product(name: "ArgumentParser", package: "swift-argument-parser")],
    swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [String]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies.map { .init(stringLiteral: $0) },
    swiftSettings: [.swiftLanguageMode(.v6), .enableExperimentalFeature("Lifetimes")])
}

// Targets in layer order; Tests/TidyTests holds the same table as a test.
let package = Package(
  name: "vpipe",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .target(name: "CLinux"),
    .target(name: "CNBD"),
    .target(name: "CArchive"),
    system("CZstd", "libzstd", "libzstd-dev"),
    system("CCrypto", "libcrypto", "libssl-dev"),
    system("CXXHash", "libxxhash", "libxxhash-dev"),
    system("CDeflate", "libdeflate", "libdeflate-dev"),

    library("Bytes", []),

    library("Platform", ["Bytes", "CLinux"]),
    library("Codecs", ["Bytes", "CZstd", "CCrypto", "CXXHash", "CDeflate"]),

    library("Blocks", ["Bytes", "Platform", "Codecs"]),
    library("Chunking", ["Bytes", "Codecs", "Blocks"]),
    library("Streams", ["Bytes", "Platform", "Codecs", "Blocks"]),

    library("Archives", ["Bytes", "Codecs", "Blocks", "CArchive"]),

    library("Appliances", ["Bytes", "Codecs", "Archives"]),
    library("DiskImages", ["Bytes", "Platform", "Codecs", "Blocks"]),
    library("GuestLayouts", ["Bytes", "Blocks", "Codecs"]),
    library("NetworkDisks", ["Bytes", "Platform", "Blocks", "CNBD"]),
    library("ObjectStores", ["Bytes", "Platform"]),

    library(
      "Reading",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Streams", "Archives", "Appliances", "DiskImages",
        "GuestLayouts", "NetworkDisks",
      ]),
    library("Auditing", ["Bytes", "Platform", "Blocks", "GuestLayouts"]),
    library(
      "Writing",
      ["Bytes", "Platform", "Codecs", "Blocks", "Archives", "DiskImages", "GuestLayouts"]),
    library(
      "Repositories",
      ["Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "ObjectStores"]),

    .target(
      name: "ToolSupport",
      dependencies: [
        "Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "DiskImages",
        "GuestLayouts", "Auditing", "Reading", "Writing", "Repositories",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    tool(
      "vread",
      [
        "Bytes", "Platform", "Blocks", "Streams", "GuestLayouts", "Auditing", "Reading",
        "Repositories", "ToolSupport",
      ]),
    tool(
      "vchunk", ["Blocks", "Chunking", "Reading", "Repositories", "ToolSupport"]),
    tool(
      "vdedup",
      ["Bytes", "Platform", "Codecs", "Blocks", "Reading", "Repositories", "ToolSupport"]),
    tool(
      "vstore",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "GuestLayouts", "Auditing",
        "Reading", "Repositories", "ToolSupport",
      ]),
    tool(
      "vrestore",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Streams", "GuestLayouts", "Reading", "Writing",
        "Repositories", "ToolSupport",
      ]),

    tool(
      "vhd",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Streams", "DiskImages", "GuestLayouts", "Reading",
        "Writing", "ToolSupport",
      ]),

    .target(
      name: "TestSupport", dependencies: ["Bytes", "Platform", "Blocks", "GuestLayouts"],
      path: "Tests/TestSupport",
      swiftSettings: [.swiftLanguageMode(.v6), .enableExperimentalFeature("Lifetimes")]),
    tests("TidyTests", ["Platform", "TestSupport"]),
    tests("BytesTests", ["Bytes", "TestSupport"]),
    tests("PlatformTests", ["Bytes", "Platform", "TestSupport"]),
    tests("CodecsTests", ["Bytes", "Codecs", "TestSupport"]),
    tests("BlocksTests", ["Bytes", "Blocks", "TestSupport"]),
    tests("ChunkingTests", ["Bytes", "Blocks", "Chunking", "Codecs", "TestSupport"]),
    tests("StreamsTests", ["Bytes", "Platform", "Blocks", "Codecs", "Streams", "TestSupport"]),
    tests("ObjectStoresTests", ["Bytes", "Platform", "ObjectStores", "TestSupport"]),
    tests(
      "RepositoriesTests",
      [
        "Bytes", "Platform", "Codecs", "Blocks", "Chunking", "Streams", "ObjectStores",
        "Repositories", "TestSupport",
      ]),

    tests(
      "DiskImagesTests", ["Bytes", "Platform", "Blocks", "Codecs", "DiskImages", "TestSupport"]),
    tests("AppliancesTests", ["Bytes", "Codecs", "Appliances", "TestSupport"]),
    tests("NetworkDisksTests", ["Blocks", "NetworkDisks"]),
    tests(
      "GuestLayoutsTests", ["Bytes", "Codecs", "Blocks", "GuestLayouts", "TestSupport"]),
    tests(
      "AuditingTests", ["Bytes", "Platform", "Blocks", "GuestLayouts", "Auditing", "TestSupport"]),
    tests(
      "WritingTests",
      ["Bytes", "Platform", "Codecs", "Blocks", "GuestLayouts", "Writing", "TestSupport"]),
    tests("ReadingTests", ["Bytes", "Platform", "Blocks", "GuestLayouts", "Reading"]),
  ]
)
