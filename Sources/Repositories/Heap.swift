/// A binary heap: the least element is on top.
struct Heap<Element: Comparable> {
  private var elements: [Element]

  init(_ elements: [Element]) {
    // What is sorted is a heap.
    self.elements = elements.sorted()
  }

  /// The least element; nil when there is none.
  var top: Element? { elements.first }

  /// Puts another element in the place of the least one, or nothing.
  mutating func replaceTop(with element: Element?) {
    if let element {
      elements[0] = element
    } else {
      let last = elements.removeLast()
      if elements.isEmpty { return }
      elements[0] = last
    }
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < elements.count else { return }
      let right = left + 1
      let child = right < elements.count && elements[right] < elements[left] ? right : left
      guard elements[child] < elements[parent] else { return }
      elements.swapAt(parent, child)
      parent = child
    }
  }
}
