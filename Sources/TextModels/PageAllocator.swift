import Tensors

/// Hands out pages of the key-value cache.
struct PageAllocator: Sendable {
    private var free: [Int32]
    let capacity: Int

    init(pageCount: Int) {
        capacity = pageCount
        free = (0..<Int32(pageCount)).reversed()
    }

    var available: Int { free.count }

    /// Pages for so many positions, or nil when too few are free.
    mutating func allocate(positions: Int) -> [Int32]? {
        let count = Self.pages(for: positions)
        guard count <= free.count else { return nil }
        let pages = Array(free.suffix(count).reversed())
        free.removeLast(count)
        return pages
    }

    mutating func release(_ pages: [Int32]) { free.append(contentsOf: pages.reversed()) }

    static func pages(for positions: Int) -> Int {
        (positions + KVStorage.pagePositions - 1) / KVStorage.pagePositions
    }
}
