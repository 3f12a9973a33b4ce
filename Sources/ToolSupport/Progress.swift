public import ArgumentParser
internal import Bytes
internal import Platform

/// What to say while working.
public struct OutputOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Leave out progress and summaries.")
  public var quiet = false

  @Flag(name: .shortAndLong, help: "Tell at the end how much was done, and how fast.")
  public var verbose = false

  @Option(
    help: ArgumentHelp("Write a line of progress to this descriptor every second.", valueName: "fd")
  )
  public var progress: Int32?

  /// Whether what is worked on goes to stdout, for others to go on with.
  var feedsOutput = false

  public init() {}

  /// The options of work whose result goes to stdout.
  ///
  /// When that is a pipe, the tool at its end shows how far they all are: two tools would write
  /// over each other's line.
  public func feedingOutput(_ feeds: Bool = true) -> OutputOptions {
    var options = self
    options.feedsOutput = feeds
    return options
  }

  public func validate() throws {
    guard let progress else { return }
    do {
      _ = try FileDescriptor(progress, owned: false).status()
    } catch {
      throw ValidationError("--progress \(progress): not an open descriptor")
    }
  }
}

/// How far the work is: shown on a terminal, written to a descriptor, or told on SIGUSR1.
public final class Progress {
  private let label: String
  private var total: UInt64
  private let options: OutputOptions
  private let start = Clock.monotonic()
  private let showsOnTerminal: Bool
  private var lastShown = 0.0
  private var isShown = false
  /// Bytes done.
  public private(set) var done: UInt64 = 0

  /// - Parameters:
  ///   - label: What is being done, such as `reading`.
  ///   - total: How many bytes there are to do, 0 when that is not known yet.
  public init(_ label: String, total: UInt64 = 0, _ options: OutputOptions) {
    self.label = label
    self.total = total
    self.options = options
    showsOnTerminal =
      !options.quiet && FileDescriptor.standardError.isTerminal
      && !(options.feedsOutput && FileDescriptor.standardOutput.isPipe)
  }

  public func expect(_ bytes: UInt64) { total += bytes }

  /// Counts bytes as done, and shows it when it is time to.
  public func advance(_ bytes: UInt64) {
    done += bytes
    let asked = Signals.progressWanted()
    guard showsOnTerminal || options.progress != nil || asked else { return }
    let now = Clock.monotonic()
    if asked { Console.say(line(now)) }
    let interval = options.progress == nil ? 0.2 : 1.0
    guard now - lastShown >= interval else { return }
    lastShown = now
    show(now)
  }

  /// Ends the display; on a terminal the line is removed.
  public func finish() {
    if options.progress != nil { show(Clock.monotonic()) }
    if isShown { FileDescriptor.standardError.tell("\r\u{1b}[K") }
    isShown = false
    if options.verbose {
      let seconds = elapsed
      let rate = ByteSize.rate(done, seconds: seconds)
      Console.say("\(label) \(ByteSize.text(done)) in \(ByteSize.fixed(seconds, 1)) s, \(rate)")
    }
  }

  /// Seconds since the start.
  public var elapsed: Double { Clock.monotonic() - start }

  private func show(_ now: Double) {
    if let number = options.progress {
      let text = "bytes=\(done) total=\(total) seconds=\(ByteSize.fixed(now - start, 1))\n"
      // Progress that cannot be written is no reason to stop the work.
      FileDescriptor(number, owned: false).tell(text)
    }
    if showsOnTerminal {
      isShown = true
      FileDescriptor.standardError.tell("\r\(Console.toolName): \(line(now))\u{1b}[K")
    }
  }

  private func line(_ now: Double) -> String {
    let seconds = max(now - start, 0.001)
    var text = "\(label) \(ByteSize.text(done))"
    if total > 0 {
      let percent = done >= total ? 100 : Int(Double(done) / Double(total) * 100)
      text += " of \(ByteSize.text(total)) (\(percent) %)"
    }
    text += ", \(ByteSize.rate(done, seconds: seconds))"
    if total > done, done > 0 {
      let left = Double(total - done) / Double(done) * seconds
      // Whoever would have to wait for longer than a year needs no number.
      if left < 365 * 86400 { text += ", \(Int(left) + 1) s left" }
    }
    return text
  }
}
