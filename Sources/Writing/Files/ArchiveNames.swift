internal import GuestLayouts

/// The names that are in an archive already: whoever extracts it may follow a link to write what
/// comes later under its name, or beneath it.
///
/// A folder's names are forgotten when it is left, as nothing else comes into it. Only links are
/// remembered where another file system is restored into it later: of two other files of one name
/// that one is to win which the guest sees, and it comes last.
struct ArchiveNames {
  /// The most names that are remembered, of 8 bytes, in a table of 96 MiB while it grows.
  private static let usualLimit = 4 << 20

  private let limit: Int
  /// Where what is still to be restored goes, the next one first.
  private var places: ArraySlice<[UInt8]>
  /// The names in each folder that was entered, the innermost last; the first has all others in it.
  ///
  /// A name is remembered by a hash with a secret of this process, so that no guest can make two
  /// that are taken for one; by chance that happens to less than one of a million such tables.
  private var open: [Set<Int>] = [[]]
  /// The paths of links, where more is still to come.
  private var links: Set<Int> = []
  private var count = 0

  /// - Parameter places: The paths that files and folders are restored to, in their order.
  init(places: [[UInt8]], limit: Int = ArchiveNames.usualLimit) {
    self.places = places[...]
    self.limit = limit
  }

  /// Begins with what comes to the next place.
  ///
  /// - Throws: When a folder on its way is a link.
  mutating func begin(in folder: [[UInt8]]) throws {
    places = places.dropFirst()
    open = [[]]
    count = links.count
    for end in folder.indices {
      guard !isKnownLink(Array(folder[...end].joined(separator: [UInt8(ascii: "/")]))) else {
        throw FileContent.Problem(description: "a folder on its way is a symbolic link: left out")
      }
    }
  }

  /// Takes a name for a folder that is entered.
  mutating func enter(_ folder: RestoredFile) throws {
    try claim(folder)
    open.append([])
  }

  mutating func leave() {
    count -= open.popLast()?.count ?? 0
  }

  /// Takes a name.
  ///
  /// - Throws: When it is taken.
  mutating func claim(_ file: RestoredFile) throws {
    let name = file.name.hashValue
    let isLink = file.file.kind == .symbolicLink
    guard !open[open.count - 1].contains(name), isLink || !isKnownLink(file.path) else {
      throw FileContent.Problem(description: "another one has this name: left out")
    }
    guard count < limit else {
      // Of two others of one name the last one stays, but nothing is written elsewhere.
      guard isLink else { return }
      throw FileContent.Problem(description: "a link behind \(limit) other names: left out")
    }
    open[open.count - 1].insert(name)
    count += 1
    if isLink, isShared(file.path), links.insert(file.path.hashValue).inserted { count += 1 }
  }

  private func isKnownLink(_ path: [UInt8]) -> Bool {
    !links.isEmpty && links.contains(path.hashValue)
  }

  /// Whether something is still to come to this path, beneath it or around it.
  private func isShared(_ path: [UInt8]) -> Bool {
    places.contains { place in
      let (short, long) = path.count < place.count ? (path, place) : (place, path)
      return long.starts(with: short)
        && (long.count == short.count || short.isEmpty || long[short.count] == UInt8(ascii: "/"))
    }
  }
}
