/// A binary heap: the least element is on top.
public struct Heap<Element: Comparable> {
  @usableFromInline var elements: [Element]

  @inlinable
  public init(_ elements: [Element]) {
    // What is sorted is a heap.
    self.elements = elements.sorted()
  }

  /// The least element; nil when there is none.
  @inlinable
  public var top: Element? { elements.first }

  /// Adds an element.
  @inlinable
  public mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard elements[child] < elements[parent] else { return }
      elements.swapAt(parent, child)
      child = parent
    }
  }

  /// Puts another element in the place of the least one, or nothing.
  @inlinable
  public mutating func replaceTop(with element: Element?) {
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

extension Heap: Sendable where Element: Sendable {}
