/// A set of tokens, a bit each.
package struct TokenMask: Sendable, Hashable {
    package private(set) var words: [UInt64]

    package init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

    package func contains(_ id: Int32) -> Bool {
        id >= 0 && Int(id) / 64 < words.count && words[Int(id) / 64] & 1 << UInt64(id % 64) != 0
    }

    mutating func insert(_ id: Int32) { words[Int(id) / 64] |= 1 << UInt64(id % 64) }

    mutating func remove(_ id: Int32) { words[Int(id) / 64] &= ~(1 << UInt64(id % 64)) }

    mutating func formUnion(_ other: TokenMask) {
        for index in words.indices { words[index] |= other.words[index] }
    }

    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// Makes the logits of all tokens outside −∞.
    package func apply(to logits: inout [Float]) {
        for word in 0..<(logits.count + 63) / 64 {
            let bits = word < words.count ? words[word] : 0
            if bits == .max { continue }
            for index in word * 64..<min(word * 64 + 64, logits.count) where bits & 1 << UInt64(index % 64) == 0 {
                logits[index] = -.infinity
            }
        }
    }
}
