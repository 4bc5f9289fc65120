/// Ids in the order (logit falling, id rising), sorted only as far as they are asked for.
package struct Ranking: Sendable {
    private static let first = 64
    private static let growth = 8

    private var ids: [Int32] = []

    package init() {}

    /// The id at a rank; all calls name the same logits.
    package mutating func id(at rank: Int, in logits: [Float]) -> Int32 {
        precondition(logits.indices.contains(rank), "rank \(rank) of \(logits.count) logits")
        var count = max(ids.count, Self.first)
        while count <= rank { count *= Self.growth }
        if count > ids.count, ids.count < logits.count { ids = Self.best(count, of: logits) }
        return ids[rank]
    }

    /// The first `count` ids, ranked.
    private static func best(_ count: Int, of logits: [Float]) -> [Int32] {
        func precedes(_ a: Int32, _ b: Int32) -> Bool {
            let (x, y) = (logits[Int(a)], logits[Int(b)])
            return x != y ? x > y : a < b
        }
        if count >= logits.count { return logits.indices.map { Int32($0) }.sorted(by: precedes) }
        // Twice as many as wanted are kept; when that is full, the worse half goes and raises the threshold.
        var kept: [Int32] = []
        kept.reserveCapacity(2 * count)
        var threshold = -Float.infinity
        for (index, logit) in logits.enumerated() where logit >= threshold {
            kept.append(Int32(index))
            if kept.count == 2 * count {
                kept.sort(by: precedes)
                kept.removeLast(count)
                threshold = logits[Int(kept[count - 1])]
            }
        }
        kept.sort(by: precedes)
        return Array(kept.prefix(count))
    }
}
