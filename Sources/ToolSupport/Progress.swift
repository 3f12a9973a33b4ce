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

  public init() {}
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
    showsOnTerminal = !options.quiet && FileDescriptor.standardError.isTerminal
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
    if isShown { write("\r\u{1b}[K", to: .standardError) }
    isShown = false
    if options.verbose {
      let seconds = elapsed
      let rate = ByteSize.text(UInt64(Double(done) / max(seconds, 0.001)))
      Console.say("\(label) \(ByteSize.text(done)) in \(ByteSize.fixed(seconds, 1)) s, \(rate)/s")
    }
  }

  /// Seconds since the start.
  public var elapsed: Double { Clock.monotonic() - start }

  private func show(_ now: Double) {
    if let number = options.progress {
      let text = "bytes=\(done) total=\(total) seconds=\(ByteSize.fixed(now - start, 1))\n"
      write(text, to: FileDescriptor(number, owned: false))
    }
    if showsOnTerminal {
      isShown = true
      write("\r\(line(now))\u{1b}[K", to: .standardError)
    }
  }

  private func line(_ now: Double) -> String {
    let seconds = max(now - start, 0.001)
    let rate = Double(done) / seconds
    var text = "\(label) \(ByteSize.text(done))"
    if total > 0 {
      text += " of \(ByteSize.text(total)) (\(done >= total ? 100 : done * 100 / total) %)"
    }
    text += ", \(ByteSize.text(UInt64(rate)))/s"
    if total > done, rate > 0 {
      text += ", \(Int(Double(total - done) / rate) + 1) s left"
    }
    return text
  }

  /// Progress that cannot be written is no reason to stop the work.
  private func write(_ text: String, to file: FileDescriptor) {
    do { try file.write(text) } catch {}
  }
}
