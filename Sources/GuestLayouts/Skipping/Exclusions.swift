/// Which of a guest's files are left out.
public struct Exclusions: Sendable {
  /// A named set of patterns.
  public struct NamedSet: Sendable {
    public let name: String
    public let patterns: [String]
  }

  /// The sets that can be asked for by name.
  public static let sets: [NamedSet] = [
    NamedSet(
      name: "temp",
      patterns: [
        "/tmp/**", "/var/tmp/**", "/Windows/Temp/**", "/Users/*/AppData/Local/Temp/**",
      ]),
    NamedSet(
      name: "cache",
      patterns: [
        "/var/cache/apt/archives/*.deb", "/var/cache/dnf/**", "/var/cache/yum/**",
        "/var/cache/zypp/packages/**", "/var/cache/pacman/pkg/**", "/home/*/.cache/**",
        "/root/.cache/**", "/Windows/SoftwareDistribution/Download/**",
        "/Users/*/AppData/Local/Microsoft/Windows/INetCache/**",
      ]),
    NamedSet(
      name: "trash",
      patterns: [
        "/$Recycle.Bin/**", "/home/*/.local/share/Trash/**", "/root/.local/share/Trash/**",
        "/.Trash-*/**", "/.Trash/**",
      ]),
  ]

  public private(set) var patterns: [PathPattern] = []
  /// For each pattern who is told when it matches nothing, as text; nil for nobody.
  private var origins: [String?] = []

  public init() {}

  public var isEmpty: Bool { patterns.isEmpty }
  /// Whether there is a pattern that counts from the guest's root.
  var hasRooted: Bool { patterns.contains { $0.components.first != .deep } }

  /// The most patterns.
  public static let patternLimit = 1000

  /// - Parameters:
  ///   - pattern: The pattern.
  ///   - place: The option or the line that it is from, for a warning when it matches nothing; nil
  ///     for none.
  /// - Throws: `PathPattern.Problem` for what is no pattern, or one too many.
  public mutating func add(
    _ pattern: String, from place: String? = nil
  ) throws(PathPattern.Problem) {
    guard patterns.count < Exclusions.patternLimit else {
      throw PathPattern.Problem(description: "more than \(Exclusions.patternLimit) patterns")
    }
    patterns.append(try PathPattern(pattern))
    origins.append(place.map { "\($0): '\(pattern)'" })
  }

  /// The most patterns that are told to match nothing.
  private static let warningLimit = 20

  /// What is to be told of patterns that match nothing, as mistyped ones do.
  public func warnings(_ matches: PatternMatches) -> [String] {
    let origins = origins.enumerated().filter { !matches.patterns.contains($0.offset) }
    let unmatched = origins.compactMap(\.element)
    let place = matches.isComplete ? "" : " where files can be looked for"
    var warnings = unmatched.prefix(Exclusions.warningLimit).map {
      "\($0): no file matches\(place)"
    }
    if unmatched.count > warnings.count {
      warnings.append("\(unmatched.count - warnings.count) more patterns match no file\(place)")
    }
    return warnings
  }

  /// How far the patterns have matched the names of a path.
  struct Progress {
    /// A pattern and the component of it that comes next.
    private struct State: Hashable {
      let pattern: Int
      let component: Int
    }

    private var states: Set<State> = []
    private let patterns: [PathPattern]
    /// Whether a pattern has matched the path, or a folder of it.
    private(set) var isExcluded = false
    /// The patterns that match this very path.
    private(set) var completed: [Int] = []
    /// Those that match all that is in it, if it is a folder.
    private(set) var entered: [Int] = []
    /// Whether something further down may match.
    var isOpen: Bool { isExcluded || !states.isEmpty }
    /// Whether nothing further down can change what is known.
    var isSettled: Bool { isExcluded && states.isEmpty }

    /// - Parameter isAnchored: Whether the path starts at the guest's root; else only patterns for any depth count.
    init(_ exclusions: Exclusions, isAnchored: Bool = true) {
      patterns = exclusions.patterns
      for index in patterns.indices where isAnchored || patterns[index].components.first == .deep {
        add(State(pattern: index, component: 0))
      }
    }

    private mutating func add(_ state: State) {
      let components = patterns[state.pattern].components
      guard state.component < components.count else {
        isExcluded = true
        completed.append(state.pattern)
        return
      }
      if patterns[state.pattern].folderCount == state.component { entered.append(state.pattern) }
      states.insert(state)
      if components[state.component] == .deep {
        add(State(pattern: state.pattern, component: state.component + 1))
      }
    }

    /// The progress one name further down.
    func into(_ name: NameText, _ rule: NameRule) -> Progress {
      // What is excluded is followed as well: a second pattern may match in there.
      var next = self
      next.states = []
      next.completed = []
      next.entered = []
      for state in states {
        switch patterns[state.pattern].components[state.component] {
        case .deep: next.add(state)
        case .name(let pattern):
          if pattern.matches(name, rule) {
            next.add(State(pattern: state.pattern, component: state.component + 1))
          }
        }
      }
      return next
    }
  }
}

/// Which patterns have matched a file or a folder.
public struct PatternMatches: Sendable {
  /// Their indices.
  public internal(set) var patterns: Set<Int> = []
  /// Whether all files could be looked at.
  public var isComplete = true

  public init() {}

  /// Adds what matched on other disks.
  public mutating func add(_ other: PatternMatches) {
    patterns.formUnion(other.patterns)
    if !other.isComplete { isComplete = false }
  }
}
