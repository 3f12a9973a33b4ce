import Bytes
import Platform
import TestSupport
import Testing

@testable import ObjectStores

/// A store in a folder: whole objects, errors that name them.
struct LocalStoreTests {
  private func store() throws -> (LocalStore, Scratch) {
    let scratch = try Scratch()
    let store = LocalStore(scratch["store"])
    try store.create(["packs", "writers", "quarantine"])
    return (store, scratch)
  }

  private func publish(_ store: LocalStore, _ name: String, _ content: [UInt8]) throws {
    let session = try store.beginWriting()
    let object = try session.stage()
    try object.file.write(content)
    try session.publish(object, as: name)
    try session.flush()
    try session.end()
  }

  private func complaint(_ body: () throws(StoreError) -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test func `objects are listed, opened and read by name`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    try publish(store, "packs/ab/one", [1, 2, 3])
    try publish(store, "packs/cd/two", [])
    #expect(
      try store.list("packs") == [
        ObjectInfo(name: "packs/ab/one", size: 3), ObjectInfo(name: "packs/cd/two", size: 0),
      ])
    #expect(try store.list("nothing") == [])
    #expect(try store.contents("packs/ab/one", limit: 3) == [1, 2, 3])
    #expect(try store.open("packs/ab/one").read(2, at: 1) == [2, 3])
    #expect(
      complaint { () throws(StoreError) in _ = try store.contents("packs/ab/one", limit: 2) }
        == "packs/ab/one: larger than the limit of 2 bytes")
    #expect(
      complaint { () throws(StoreError) in _ = try store.open("packs/x") }
        .hasPrefix("packs/x: open: "))
  }

  @Test func `what is staged is seen by nobody until it is published`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    let session = try store.beginWriting()
    let object = try session.stage()
    try object.file.write([1])
    #expect(try store.list("packs") == [])
    try session.publish(object, as: "packs/ab/x")
    #expect(try store.list("packs").count == 1)
    try session.end()
    #expect(try store.list("writers") == [])
  }

  @Test func `objects are read only`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    try publish(store, "packs/ab/x", [1])
    #expect(try store.open("packs/ab/x").status().permissions & 0o222 == 0)
  }

  @Test func `links in a store are not followed`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    try scratch.file("secret", [7])
    try Links.make(scratch["store/packs/link"], to: scratch["secret"])
    #expect(
      complaint { () throws(StoreError) in _ = try store.open("packs/link") }
        .hasPrefix("packs/link: open"))
    #expect(
      complaint { () throws(StoreError) in _ = try store.contents("packs/link", limit: 10) } != "")
  }

  @Test func `quarantined objects keep their names`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    try publish(store, "packs/ab/x", [1])
    try store.quarantine("packs/ab/x")
    #expect(try store.list("packs") == [])
    #expect(try store.contents("quarantine/x", limit: 1) == [1])
  }

  private final class Turn: Sendable {}

  /// A cleaner may take a new writer's file before it is locked.
  @Test func `sessions that begin and end at once do not hinder each other`() throws {
    let (store, scratch) = try store()
    defer { _ = scratch.path }
    let workers = Workers<Turn>(count: 8, window: 8) { _ in
      for _ in 0..<150 { try store.beginWriting().end() }
    }
    for _ in 0..<8 { workers.give(Turn()) }
    while try workers.take() != nil {}
    workers.close()
    #expect(try store.list("writers") == [])
  }
}
