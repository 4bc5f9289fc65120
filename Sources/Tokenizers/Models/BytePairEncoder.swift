import HeapModule

/// Byte-pair encoding (Sennrich et al., arXiv 1508.07909): of all adjacent pairs the one of lowest rank is merged
/// first, the leftmost among equals, until no pair can be merged.
struct BytePairEncoder: Sendable {
    let merges: PairTable

    /// A pair that may merge.
    private struct Candidate: Comparable {
        var merge: PairTable.Merge
        var position: Int32
        var left: Int32
        var right: Int32

        static func < (a: Candidate, b: Candidate) -> Bool {
            a.merge.rank != b.merge.rank ? a.merge.rank < b.merge.rank : a.position < b.position
        }

        static func == (a: Candidate, b: Candidate) -> Bool { a.merge.rank == b.merge.rank && a.position == b.position }
    }

    /// Merges `symbols` in O(n log n), whatever their number.
    func merge(_ symbols: inout [Int32]) {
        if symbols.count < 2 { return }
        if symbols.count <= 48 { mergeFew(&symbols) } else { symbols = mergeMany(symbols) { _, _, _ in } }
    }

    /// - Parameter sees: is told every pair that could have merged, in the order in which they came up.
    func merge(_ symbols: inout [Int32], sees: (_ left: Int32, _ right: Int32, _ result: Int32) -> Void) {
        if symbols.count > 1 { symbols = mergeMany(symbols, sees: sees) }
    }

    private func mergeFew(_ symbols: inout [Int32]) {
        // What each symbol becomes with the one behind it.
        var ranks: [Int32] = []
        var results: [Int32] = []
        ranks.reserveCapacity(symbols.count)
        results.reserveCapacity(symbols.count)
        for i in 0..<symbols.count - 1 {
            let merge = merges[symbols[i], symbols[i + 1]]
            ranks.append(merge?.rank ?? .max)
            results.append(merge?.result ?? -1)
        }
        while !ranks.isEmpty {
            var (best, rank) = (0, ranks[0])
            for i in 1..<ranks.count where ranks[i] < rank { (best, rank) = (i, ranks[i]) }
            if results[best] < 0 { break }
            symbols[best] = results[best]
            symbols.remove(at: best + 1)
            ranks.remove(at: best)
            results.remove(at: best)
            for i in [best - 1, best] where i >= 0 && i < ranks.count {
                let merge = merges[symbols[i], symbols[i + 1]]
                ranks[i] = merge?.rank ?? .max
                results[i] = merge?.result ?? -1
            }
        }
    }

    private func mergeMany(
        _ symbols: [Int32], sees: (_ left: Int32, _ right: Int32, _ result: Int32) -> Void
    ) -> [Int32] {
        let count = symbols.count
        var token = symbols
        var previous = (0..<Int32(count)).map { $0 - 1 }
        var next = (0..<Int32(count)).map { $0 + 1 == Int32(count) ? -1 : $0 + 1 }

        func candidate(_ position: Int32) -> Candidate? {
            guard position >= 0, next[Int(position)] >= 0 else { return nil }
            let (left, right) = (token[Int(position)], token[Int(next[Int(position)])])
            guard let merge = merges[left, right] else { return nil }
            sees(left, right, merge.result)
            return Candidate(merge: merge, position: position, left: left, right: right)
        }

        var heap = Heap((0..<Int32(count)).compactMap(candidate))
        while let best = heap.popMin() {
            let left = Int(best.position)
            // A candidate is stale when either of its tokens has been merged meanwhile; a merged token is −1.
            guard token[left] == best.left, next[left] >= 0, token[Int(next[left])] == best.right else { continue }
            let right = Int(next[left])
            token[left] = best.merge.result
            token[right] = -1
            next[left] = next[right]
            if next[right] >= 0 { previous[Int(next[right])] = Int32(left) }
            if let more = candidate(previous[left]) { heap.insert(more) }
            if let more = candidate(Int32(left)) { heap.insert(more) }
        }
        return token.filter { $0 >= 0 }
    }
}
