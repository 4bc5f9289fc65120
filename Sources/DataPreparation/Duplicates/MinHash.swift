import Crypto

/// Signatures by which sets of shingles are compared: the share of places in which two agree estimates their Jaccard
/// similarity (Broder, On the Resemblance and Containment of Documents, 1997).
///
/// The same numbers as `datasketch.MinHash(num_perm, seed)` of version 2 computes with its default scheme, `affine32`: a
/// shingle's hash is the first four bytes of its SHA-1, mixed by MurmurHash3's finalizer; permutation k is a_k · h + b_k mod 2³².
package struct MinHash: Sendable {
    /// Places of a signature: a multiple of 16.
    package let count: Int
    private let factors: [SIMD16<UInt32>]
    private let summands: [SIMD16<UInt32>]

    package init(count: Int, seed: UInt32 = 1) {
        precondition(count > 0 && count % 16 == 0, "a signature of \(count) places, which is no multiple of 16")
        self.count = count
        var random = MersenneTwister(seed: seed)
        // `randint(0, 2³¹)` masks a word; `randint(0, 2³²)` takes it.
        let a = (0..<count).map { _ in (random.next() & 0x7FFF_FFFF) &* 2 &+ 1 }
        let b = (0..<count).map { _ in random.next() }
        factors = stride(from: 0, to: count, by: 16).map { SIMD16(a[$0..<$0 + 16]) }
        summands = stride(from: 0, to: count, by: 16).map { SIMD16(b[$0..<$0 + 16]) }
    }

    /// The signature of a set of shingles; each may come several times.
    package func signature(of shingles: some Sequence<some Collection<UInt8>>) -> [UInt32] {
        var least = [SIMD16<UInt32>](repeating: SIMD16(repeating: .max), count: factors.count)
        for shingle in shingles {
            let hash = SIMD16(repeating: Self.hash(shingle))
            for place in factors.indices {
                least[place] = pointwiseMin(least[place], factors[place] &* hash &+ summands[place])
            }
        }
        return least.flatMap { part in (0..<16).map { part[$0] } }
    }

    private static func hash(_ shingle: some Collection<UInt8>) -> UInt32 {
        var sha = Insecure.SHA1()
        sha.update(data: Array(shingle))
        var word: UInt32 = 0
        for (place, byte) in sha.finalize().prefix(4).enumerated() { word |= UInt32(byte) << (8 * UInt32(place)) }
        word = (word ^ word >> 16) &* 0x85EB_CA6B
        word = (word ^ word >> 13) &* 0xC2B2_AE35
        return word ^ word >> 16
    }

    /// The estimated Jaccard similarity of two sets.
    package static func similarity(_ a: some Collection<UInt32>, _ b: some Collection<UInt32>) -> Double {
        precondition(a.count == b.count, "signatures of \(a.count) and \(b.count) places")
        return Double(zip(a, b).count { $0 == $1 }) / Double(max(a.count, 1))
    }
}

extension TextUnits {
    /// All runs of `length` units, joined by spaces; all units where there are fewer. None of a text without units.
    package func shingles(_ length: Int) -> [[UInt8]] {
        precondition(length > 0, "shingles of \(length) units")
        guard count > 0 else { return [] }
        return (0...max(0, count - length)).map { start in
            Array((start..<min(start + length, count)).map { self[$0] }.joined(separator: [0x20]))
        }
    }
}
