import HeapModule

/// Two adjacent tokens.
struct TokenPair: Hashable, Sendable {
    var left: Int32
    var right: Int32
}

/// Byte-pair encoding (Sennrich et al., arXiv 1508.07909): of all adjacent pairs the one of lowest rank is merged
/// first, the leftmost among equals, until no pair can be merged.
struct BytePairEncoder: Sendable {
    struct Merge: Sendable {
        var rank: Int32
        var result: Int32
    }

    let merges: [TokenPair: Merge]

    private struct Candidate: Comparable {
        var rank: Int32
        var position: Int32
        var pair: TokenPair

        static func < (a: Candidate, b: Candidate) -> Bool {
            a.rank != b.rank ? a.rank < b.rank : a.position < b.position
        }
    }

    /// Merges `symbols` in O(n log n), whatever their number.
    func merge(_ symbols: [Int32]) -> [Int32] {
        if symbols.count < 2 { return symbols }
        return symbols.count <= 16 ? mergeFew(symbols) : mergeMany(symbols)
    }

    private func mergeFew(_ symbols: [Int32]) -> [Int32] {
        var symbols = symbols
        while symbols.count > 1 {
            var best: (rank: Int32, index: Int, result: Int32)?
            for i in 0..<symbols.count - 1 {
                guard let merge = merges[TokenPair(left: symbols[i], right: symbols[i + 1])] else { continue }
                if best.map({ merge.rank < $0.rank }) ?? true { best = (merge.rank, i, merge.result) }
            }
            guard let best else { break }
            symbols[best.index] = best.result
            symbols.remove(at: best.index + 1)
        }
        return symbols
    }

    private func mergeMany(_ symbols: [Int32]) -> [Int32] {
        let count = symbols.count
        var token = symbols
        var previous = (0..<Int32(count)).map { $0 - 1 }
        var next = (0..<Int32(count)).map { $0 + 1 == Int32(count) ? -1 : $0 + 1 }
        var heap = Heap<Candidate>()

        func consider(_ position: Int32) {
            guard position >= 0, next[Int(position)] >= 0 else { return }
            let pair = TokenPair(left: token[Int(position)], right: token[Int(next[Int(position)])])
            guard let merge = merges[pair] else { return }
            heap.insert(Candidate(rank: merge.rank, position: position, pair: pair))
        }

        for position in 0..<Int32(count) { consider(position) }
        while let candidate = heap.popMin() {
            let left = Int(candidate.position)
            // A candidate is stale when either of its tokens has been merged meanwhile; a merged token is −1.
            guard token[left] == candidate.pair.left, next[left] >= 0, token[Int(next[left])] == candidate.pair.right,
                let merge = merges[candidate.pair]
            else { continue }
            let right = Int(next[left])
            token[left] = merge.result
            token[right] = -1
            next[left] = next[right]
            if next[right] >= 0 { previous[Int(next[right])] = Int32(left) }
            consider(previous[left])
            consider(Int32(left))
        }
        return token.filter { $0 >= 0 }
    }
}
