public import Blocks
internal import Bytes

/// A disk as a picture: a band of its partitions, and squares coloured by what their bytes are.
public struct DiskPicture {
  /// A part of the disk with a name, for the band.
  public struct Part {
    let range: Range<UInt64>
    let title: String

    public init(_ range: Range<UInt64>, _ title: String) {
      self.range = range
      self.title = title
    }
  }

  private static let columns = 128
  private static let rows = 40
  private static let partLimit = 4096
  /// Data, and then every kind of hole.
  private static let kinds: [HoleKind?] = [nil] + HoleKind.allCases

  private let name: String
  private let size: UInt64
  private let parts: [Part]
  /// In a strip of their own, below what they are in.
  private let logicalVolumes: [Part]
  /// Bytes of a square.
  private let step: UInt64
  /// For each square the bytes of each kind.
  private var squares: [[UInt64]]
  private var totals: [UInt64]

  /// - Parameters:
  ///   - name: The title.
  ///   - size: Bytes of the disk.
  ///   - parts: Its partitions, in any order.
  ///   - logicalVolumes: Where logical volumes have their parts; the first few thousand are drawn.
  public init(_ name: String, size: UInt64, parts: [Part], logicalVolumes: [Part] = []) {
    self.name = name
    self.size = size
    self.parts = parts.filter { $0.range.upperBound <= size }.sorted {
      $0.range.lowerBound < $1.range.lowerBound
    }
    self.logicalVolumes = Array(
      logicalVolumes.filter { $0.range.upperBound <= size }.prefix(DiskPicture.partLimit))
    let count = UInt64(DiskPicture.columns * DiskPicture.rows)
    step = max((size + count - 1) / count, 512)
    squares = Array(
      repeating: Array(repeating: 0, count: DiskPicture.kinds.count),
      count: Int((size + step - 1) / step))
    totals = Array(repeating: 0, count: DiskPicture.kinds.count)
  }

  /// Counts a range of the disk as a kind of hole, or as data.
  public mutating func add(_ range: Range<UInt64>, _ kind: HoleKind?) {
    let index = kind.map { Int($0.rawValue) } ?? 0
    totals[index] += range.upperBound - range.lowerBound
    var position = range.lowerBound
    while position < range.upperBound {
      let end = min((position / step + 1) * step, range.upperBound)
      squares[Int(position / step)][index] += end - position
      position = end
    }
  }

  /// Counts a loaded segment.
  public mutating func add(_ segment: Segment) {
    for run in segment.runs {
      let range =
        segment.offset + UInt64(run.range.lowerBound)..<segment.offset
        + UInt64(run.range.upperBound)
      if case .hole(let kind) = run.content { add(range, kind) } else { add(range, nil) }
    }
  }

  // MARK: SVG

  private static let pitch = 8
  private static let margin = 16
  private static var width: Int { columns * pitch }

  /// Bytes of the picture's lines above the squares.
  private static let bandTop = 48
  private static let bandHeight = 26
  private static let stripHeight = 18
  private var gridTop: Int { 86 + (logicalVolumes.isEmpty ? 0 : DiskPicture.stripHeight) }

  /// Red, green and blue of a kind.
  private static func color(_ kind: HoleKind?) -> (Double, Double, Double) {
    switch kind {
    case nil: (31, 78, 121)
    case .zero: (228, 228, 228)
    case .free: (150, 203, 132)
    case .swap: (240, 168, 60)
    case .excluded: (152, 104, 190)
    case .unchanged: (160, 196, 230)
    case .bad: (214, 39, 40)
    }
  }

  private static func text(_ kind: HoleKind?) -> String {
    switch kind {
    case nil: "data"
    case .zero: "zeros"
    case .free: "free in its file system"
    case .swap: "swap"
    case .excluded: "excluded files"
    case .unchanged: "unchanged"
    case .bad: "unreadable"
    }
  }

  private static func hex(_ color: (Double, Double, Double)) -> String {
    let bytes = [color.0, color.1, color.2].map { UInt8(min(max($0.rounded(), 0), 255)) }
    return "#" + Hex.text(bytes)
  }

  /// The pictures of several disks, one below the other, as SVG 1.1.
  public static func svg(_ pictures: [DiskPicture]) -> String {
    let width = DiskPicture.width + 2 * margin
    let height = pictures.reduce(0) { $0 + $1.height }
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
        + "viewBox=\"0 0 \(width) \(height)\" font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"\(width)\" height=\"\(height)\" fill=\"white\"/>",
    ]
    var top = 0
    for picture in pictures {
      lines.append("<g transform=\"translate(0 \(top))\">")
      lines += picture.lines()
      lines.append("</g>")
      top += picture.height
    }
    return lines.joined(separator: "\n") + "\n</svg>\n"
  }

  private var legendTop: Int {
    let rows = (squares.count + DiskPicture.columns - 1) / DiskPicture.columns
    return gridTop + rows * DiskPicture.pitch + 28
  }

  private var height: Int { legendTop + (legend.last?.row ?? 0) * DiskPicture.legendStep + 32 }

  private func lines() -> [String] {
    let title =
      "<text x=\"\(DiskPicture.margin)\" y=\"30\" font-size=\"18\">\(escaped(name))"
      + "<tspan dx=\"12\" font-size=\"12\" fill=\"#555\">\(ByteSize.text(size)); a square is "
      + "\(ByteSize.text(step))</tspan></text>"
    return [title]
      + band(parts, at: DiskPicture.bandTop, height: DiskPicture.bandHeight, fill: "#dfe8f1")
      + (logicalVolumes.isEmpty
        ? []
        : band(
          logicalVolumes, at: DiskPicture.bandTop + DiskPicture.bandHeight,
          height: DiskPicture.stripHeight, fill: "#ece3f4")) + grid() + drawnLegend()
  }

  private func band(_ parts: [Part], at top: Int, height: Int, fill: String) -> [String] {
    var lines = [
      "<rect x=\"\(DiskPicture.margin)\" y=\"\(top)\" width=\"\(DiskPicture.width)\" "
        + "height=\"\(height)\" fill=\"#f4f4f4\" stroke=\"#888\"/>"
    ]
    for part in parts {
      let scale = Double(DiskPicture.width) / Double(max(size, 1))
      let x = Double(DiskPicture.margin) + Double(part.range.lowerBound) * scale
      let partWidth = max(Double(part.range.upperBound - part.range.lowerBound) * scale, 1)
      lines.append(
        "<rect x=\"\(fixed(x))\" y=\"\(top)\" width=\"\(fixed(partWidth))\" height=\"\(height)\" "
          + "fill=\"\(fill)\" stroke=\"#456\"><title>\(escaped(part.title))</title></rect>")
      // About seven points a letter; what does not fit shows when pointed at.
      let room = Int(partWidth / 7) - 1
      if room >= 3 {
        let text =
          part.title.count <= room ? part.title : String(part.title.prefix(room - 1)) + "…"
        lines.append(
          "<text x=\"\(fixed(x + 4))\" y=\"\(top + height / 2 + 4)\" fill=\"#123\">\(escaped(text))</text>"
        )
      }
    }
    return lines
  }

  private func grid() -> [String] {
    var lines: [String] = []
    var index = 0
    while index < squares.count {
      let color = self.color(of: squares[index])
      let row = index / DiskPicture.columns
      let rowEnd = min((row + 1) * DiskPicture.columns, squares.count)
      var end = index + 1
      while end < rowEnd, self.color(of: squares[end]) == color { end += 1 }
      let x = DiskPicture.margin + (index - row * DiskPicture.columns) * DiskPicture.pitch
      let y = gridTop + row * DiskPicture.pitch
      lines.append(
        "<path d=\"M\(x) \(y)" + (index..<end).map { _ in "h7v7h-7zm8 0" }.joined()
          + "\" fill=\"\(color)\"/>")
      index = end
    }
    return lines
  }

  /// What a square holds, mixed; squares that differ a little look the same, which keeps files small.
  private func color(of square: [UInt64]) -> String {
    let sum = square.reduce(0, +)
    guard sum > 0 else { return "#ffffff" }
    var mixed = (0.0, 0.0, 0.0)
    for (index, count) in square.enumerated() where count > 0 {
      // Something rare must still be seen.
      let share = (Double(count) / Double(sum) * 16).rounded(.up) / 16
      let color = DiskPicture.color(DiskPicture.kinds[index])
      mixed.0 += color.0 * share
      mixed.1 += color.1 * share
      mixed.2 += color.2 * share
    }
    let shares = square.reduce(0.0) {
      $0 + (Double($1) / Double(sum) * 16).rounded(.up) / 16
    }
    return DiskPicture.hex((mixed.0 / shares, mixed.1 / shares, mixed.2 / shares))
  }

  /// A kind in the legend: its colour, its text, and where it is.
  private struct Key {
    let kind: HoleKind?
    let text: String
    let x: Int
    let row: Int
  }

  private static let legendStep = 18

  /// As many kinds in a row as there is room for.
  private var legend: [Key] {
    var keys: [Key] = []
    var x = DiskPicture.margin
    var row = 0
    for (index, kind) in DiskPicture.kinds.enumerated() where totals[index] > 0 {
      let percent = Double(totals[index]) * 100 / Double(max(size, 1))
      let text =
        "\(DiskPicture.text(kind)) \(ByteSize.text(totals[index])) (\(ByteSize.fixed(percent, 1)) %)"
      // About seven points a letter, as in the band.
      let width = 19 + text.count * 7
      if x > DiskPicture.margin, x + width > DiskPicture.margin + DiskPicture.width {
        x = DiskPicture.margin
        row += 1
      }
      keys.append(Key(kind: kind, text: text, x: x, row: row))
      x += width + 18
    }
    return keys
  }

  private func drawnLegend() -> [String] {
    legend.flatMap { key in
      let y = legendTop + key.row * DiskPicture.legendStep
      return [
        "<rect x=\"\(key.x)\" y=\"\(y - 11)\" width=\"13\" height=\"13\" "
          + "fill=\"\(DiskPicture.hex(DiskPicture.color(key.kind)))\"/>",
        "<text x=\"\(key.x + 19)\" y=\"\(y)\">\(escaped(key.text))</text>",
      ]
    }
  }

  private func fixed(_ value: Double) -> String { ByteSize.fixed(value, 2) }

  private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default:
        result.unicodeScalars.append(scalar.value < 0x20 ? "\u{FFFD}" : scalar)
      }
    }
    return result
  }
}
