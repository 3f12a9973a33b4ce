internal import CLinux
internal import Glibc

/// A lock with a condition, for the few places where threads meet.
@safe final class Monitor: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe pthread_cond_destroy(condition)
    unsafe mutex.deallocate()
    unsafe condition.deallocate()
  }

  func lock() { unsafe pthread_mutex_lock(mutex) }
  func unlock() { unsafe pthread_mutex_unlock(mutex) }
  func wait() { unsafe pthread_cond_wait(condition, mutex) }
  func wakeAll() { unsafe pthread_cond_broadcast(condition) }
}

/// A value that several threads use, one at a time.
public final class Locked<Value>: @unchecked Sendable {
  private let monitor = Monitor()
  private var value: Value

  public init(_ value: Value) { self.value = value }

  /// Runs `body` while no other thread is in it.
  public func with<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    monitor.lock()
    defer { monitor.unlock() }
    return try body(&value)
  }
}

/// Threads that work on jobs while results are taken in the order the jobs were given.
///
/// A job is an object that the workers fill in; at most `window` are under way, so memory stays
/// bounded. The caller's thread gives and takes; it never works itself.
public final class Workers<Job: AnyObject & Sendable>: @unchecked Sendable {
  private final class Slot {
    let job: Job
    var done = false
    var error: (any Error)?
    init(_ job: Job) { self.job = job }
  }

  private let monitor = Monitor()
  private let perform: @Sendable (Job) throws -> Void
  private let window: Int
  private var waiting: [Slot] = []
  private var order: [Slot] = []
  private var closed = false
  private var threads: [pthread_t] = []

  /// - Parameters:
  ///   - count: How many threads.
  ///   - window: How many jobs may be given and not yet taken.
  ///   - perform: The work; it owns the job while it runs.
  public init(count: Int, window: Int, perform: @escaping @Sendable (Job) throws -> Void) {
    self.perform = perform
    self.window = max(window, 1)
    for _ in 0..<max(count, 1) { threads.append(Thread.start { [self] in work() }) }
  }

  /// Whether another job may be given before one is taken.
  public var hasRoom: Bool { order.count < window }
  /// Whether no job is under way.
  public var isEmpty: Bool { order.isEmpty }

  /// Hands a job to the workers; there must be room.
  public func give(_ job: Job) {
    precondition(hasRoom)
    let slot = Slot(job)
    order.append(slot)
    monitor.lock()
    waiting.append(slot)
    monitor.wakeAll()
    monitor.unlock()
  }

  /// Waits for the oldest job that was given.
  ///
  /// - Returns: The job, or nil when none is under way.
  /// - Throws: What its work threw.
  public func take() throws -> Job? {
    guard !order.isEmpty else { return nil }
    // At most a window's worth moves up.
    let slot = order.removeFirst()
    monitor.lock()
    while !slot.done { monitor.wait() }
    monitor.unlock()
    if let error = slot.error { throw error }
    return slot.job
  }

  /// Ends the threads, once they have finished what they work on; jobs not begun are dropped.
  public func close() {
    monitor.lock()
    closed = true
    monitor.wakeAll()
    monitor.unlock()
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  private func work() {
    monitor.lock()
    while true {
      if closed { break }
      guard !waiting.isEmpty else {
        monitor.wait()
        continue
      }
      let slot = waiting.removeFirst()
      monitor.unlock()
      do { try perform(slot.job) } catch { slot.error = error }
      monitor.lock()
      slot.done = true
      monitor.wakeAll()
    }
    monitor.unlock()
  }
}

/// Threads are started here and nowhere else.
enum Thread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ run: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, body)
    precondition(status == 0, "no thread could be started")
    return thread
  }
}

/// How many threads should work: one a processor, up to a number that keeps the memory of their
/// buffers within what a tool may take.
public func workerCount() -> Int { min(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), 8) }
