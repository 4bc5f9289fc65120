/// SipHash-2-4 (Aumasson and Bernstein 2012, «SipHash: a fast short-input PRF», §2), a pseudorandom function of short
/// messages under a secret key of 128 bits.
struct SipHash: Sendable, Hashable {
    private var v0, v1, v2, v3: UInt64
    /// Bytes so far, whole words of 8.
    private var length: UInt64 = 0

    /// - Parameter key: its two little-endian words.
    init(key: (UInt64, UInt64)) {
        (v0, v1) = (key.0 ^ 0x736F_6D65_7073_6575, key.1 ^ 0x646F_7261_6E64_6F6D)
        (v2, v3) = (key.0 ^ 0x6C79_6765_6E65_7261, key.1 ^ 0x7465_6462_7974_6573)
    }

    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
        length &+= 8
    }

    /// The hash of what was absorbed and a last word of 4 bytes.
    func finish(_ last: UInt32) -> UInt64 { finish(bytes: UInt64(last), count: 4) }

    /// - Parameters:
    ///   - bytes: the message's last bytes, little-endian.
    ///   - count: how many they are, 0…7.
    func finish(bytes: UInt64, count: UInt64) -> UInt64 {
        var hash = self
        hash.absorb(bytes | (length &+ count) << 56)
        hash.v2 ^= 0xFF
        for _ in 0..<4 { hash.round() }
        return hash.v0 ^ hash.v1 ^ hash.v2 ^ hash.v3
    }

    private mutating func round() {
        v0 &+= v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }
}
