import Testing

@testable import Reading

/// What is told of sources by name, and what is not.
struct SourceNameTests {
  @Test func `a command travels as one word`() {
    let words = ["nbdkit", "-r", "file", "a b", "", "]"]
    #expect(SourceName(SourceName.text(ofCommand: words)) == .command(words))
    #expect(SourceName("[") == .path("["))
    #expect(SourceName("[ nbdkit ]") == .path("[ nbdkit ]"))
    #expect(SourceName("./nbd://x") == .path("./nbd://x"))
    #expect(SourceName("NBD+UNIX:///?socket=/x") == .uri("NBD+UNIX:///?socket=/x"))
  }

  @Test(arguments: [
    ("nbd://example.com", "nbd://example.com", "example.com"),
    ("nbd://example.com:10810/", "nbd://example.com:10810/", "example.com"),
    ("nbd://example.com/vm/web01.img", "nbd://example.com/vm/web01.img", "web01"),
    ("nbds://alice@example.com/a?tls-psk-file=/k", "nbds://example.com/a", "a"),
    ("nbds://alice:secret@h/a?tls-certificates=/k#f", "nbds://h/a", "a"),
    ("nbd+unix:///a?socket=/run/x.sock", "nbd+unix:///a?socket=/run/x.sock", "a"),
    (
      "nbds+unix:///?tls-psk-file=/k&socket=/run/x.sock", "nbds+unix:///?socket=/run/x.sock", "x"
    ),
    ("nbd://[::1]:10809/", "nbd://[::1]:10809/", "--1"),
    ("nbd:///a%3Ab:c", "nbd:///a%3Ab:c", "a%3Ab-c"),
    ("nbd://", "nbd://", "disk"),
  ])
  func `of a URI neither user nor keys are told`(text: String, shown: String, name: String) {
    #expect(SourceName(text).shown == shown)
    #expect(SourceName(text).volumeName == name)
  }

  @Test(arguments: [
    (["nbdkit", "memory", "1G"], "nbdkit"),
    (["/usr/bin/nbdkit", "ssh", "host=esxi", "/vmfs/volumes/ds/web01-flat.vmdk"], "web01-flat"),
    (["nbdkit", "curl", "url=https://u:p@host/a/web01.img?sig=secret", "cookie=secret"], "web01"),
    (["nbdkit", "vddk", "file=[ds] web01/web01.vmdk", "password=secret"], "web01"),
    (["nbdkit", "file", "./x/..", "--key", "secret"], "."),
    (["server", "--token", "secret"], "server"),
    (["server", "file="], "server"),
  ])
  func `of a command only the program is told`(words: [String], name: String) {
    let source = SourceName.command(words)
    #expect(source.shown == "[ \(words[0]) ... ]")
    #expect(source.volumeName == name)
    #expect(SourceName.command(["nbdkit"]).shown == "[ nbdkit ]")
  }
}
