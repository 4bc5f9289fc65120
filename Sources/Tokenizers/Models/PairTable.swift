/// Which pairs of tokens merge: a flat table with open addressing, since encoding does little else than ask it.
struct PairTable: Sendable {
    struct Merge: Sendable {
        /// The lowest one goes first.
        var rank: Int32
        var result: Int32
    }

    /// A pair in an even place, its merge behind it.
    private var slots: [UInt64]
    private var mask: Int
    private(set) var count = 0

    private static let empty = UInt64.max

    init(capacity: Int = 16) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        (slots, mask) = ([UInt64](repeating: Self.empty, count: size * 2), size - 1)
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// The first slot that holds `key`, or that is free for it.
    private func slot(_ key: UInt64) -> Int {
        // Multiplying by 2⁶⁴/φ spreads neighbours (Knuth, TAOCP 6.4).
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while slots[slot * 2] != key, slots[slot * 2] != Self.empty { slot = (slot + 1) & mask }
        return slot
    }

    subscript(left: Int32, right: Int32) -> Merge? {
        let slot = slot(Self.key(left, right))
        guard slots[slot * 2] != Self.empty else { return nil }
        let value = slots[slot * 2 + 1]
        return Merge(rank: Int32(truncatingIfNeeded: value >> 32), result: Int32(truncatingIfNeeded: value))
    }

    /// Adds a pair; one that is there already stays as it is.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        if (count + 1) * 2 > mask + 1 { grow() }
        let key = Self.key(left, right)
        let slot = slot(key)
        guard slots[slot * 2] == Self.empty else { return }
        slots[slot * 2] = key
        slots[slot * 2 + 1] = Self.key(merge.rank, merge.result)
        count += 1
    }

    private mutating func grow() {
        var larger = PairTable(capacity: (mask + 1) * 2)
        forEach { larger.insert($0, $1, $2) }
        self = larger
    }

    func forEach(_ body: (_ left: Int32, _ right: Int32, Merge) -> Void) {
        for slot in stride(from: 0, to: slots.count, by: 2) where slots[slot] != Self.empty {
            let (key, value) = (slots[slot], slots[slot + 1])
            body(
                Int32(truncatingIfNeeded: key >> 32), Int32(truncatingIfNeeded: key),
                Merge(rank: Int32(truncatingIfNeeded: value >> 32), result: Int32(truncatingIfNeeded: value)))
        }
    }

    /// The merges whose results satisfy a condition.
    func filter(_ isKept: (Merge) -> Bool) -> PairTable {
        var isWhole = true
        forEach { isWhole = isKept($2) && isWhole }
        if isWhole { return self }
        var kept = PairTable(capacity: count)
        forEach { if isKept($2) { kept.insert($0, $1, $2) } }
        return kept
    }
}
