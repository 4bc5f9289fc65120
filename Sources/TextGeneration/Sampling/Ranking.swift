/// Ids in the order (logit falling, id rising), sorted only as far as they are asked for.
///
/// What a draw looks at lies within some depth under the largest logit: those are picked out and sorted, then those that
/// lie deeper.
package struct Ranking: Sendable {
    /// Under the largest logit, in nats.
    private static let depths: [Float] = [3, 5, 7, 10, 16, .infinity]
    /// Where very many are about equally likely no more are sorted at a time.
    private static let limit = 512

    private var ids: [Int32] = []
    /// The key of the last of `ids`.
    private var last = Key(0)
    private var depth = 0
    private var top: Float?

    /// The smaller, the earlier in rank.
    private typealias Key = UInt64

    /// - Parameter top: the largest logit, where it is known.
    package init(top: Float? = nil) { self.top = top }

    /// The id at a rank; all calls name the same logits, none of which is NaN.
    package mutating func id(at rank: Int, in logits: [Float]) -> Int32 {
        precondition(logits.indices.contains(rank), "rank \(rank) of \(logits.count) logits")
        while ids.count <= rank { extend(logits) }
        return ids[rank]
    }

    private mutating func extend(_ logits: [Float]) {
        let top = top ?? logits.max() ?? 0
        self.top = top
        var threshold = top - Self.depths[depth]
        // top may be infinite too.
        if threshold.isNaN { threshold = -.infinity }
        var kept: [Key] = []
        var isWhole = true
        for index in logits.indices where logits[index] >= threshold {
            let key = Self.key(logits[index], index)
            guard key > last else { continue }
            kept.append(key)
            // The worse half goes and raises the threshold.
            if kept.count == 2 * Self.limit {
                kept.sort()
                kept.removeLast(Self.limit)
                threshold = logits[Int(Self.id(kept[Self.limit - 1]))]
                isWhole = false
            }
        }
        kept.sort()
        if isWhole {
            depth = min(depth + 1, Self.depths.count - 1)
        } else {
            kept.removeLast(max(0, kept.count - Self.limit))
        }
        ids += kept.map(Self.id)
        last = kept.last ?? last
    }

    private static func key(_ logit: Float, _ index: Int) -> Key {
        // −0 is 0.
        let bits = (logit + 0).bitPattern
        let falling = bits >> 31 == 0 ? ~(bits | 1 << 31) : bits
        return Key(falling) << 32 | Key(UInt32(truncatingIfNeeded: index))
    }

    private static func id(_ key: Key) -> Int32 { Int32(truncatingIfNeeded: key) }
}
