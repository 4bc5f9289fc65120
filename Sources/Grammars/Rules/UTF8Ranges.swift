/// UTF-8 (RFC 3629) of ranges of scalars, as ranges of bytes.
enum UTF8Ranges {
    /// - Returns: sequences of byte ranges: a scalar lies in `range` when its bytes lie in one of them. Surrogates are left
    ///   out.
    static func of(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        for limits in [0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF] as [ClosedRange<UInt32>]
        where limits.overlaps(range) {
            let own = range.clamped(to: limits)
            split(own.lowerBound, own.upperBound, &sequences)
        }
        return sequences
    }

    /// Cuts a range of scalars whose UTF-8 has one length so that each byte's range does not depend on the others'.
    private static func split(_ low: UInt32, _ high: UInt32, _ sequences: inout [[ClosedRange<UInt8>]]) {
        let count = bytes(of: low).count
        for place in 1..<max(count, 1) {
            let mask: UInt32 = 1 << UInt32(6 * place) - 1
            if low & ~mask == high & ~mask { break }
            if low & mask != 0 {
                split(low, low | mask, &sequences)
                split((low | mask) + 1, high, &sequences)
                return
            }
            if high & mask != mask {
                split(low, (high & ~mask) - 1, &sequences)
                split(high & ~mask, high, &sequences)
                return
            }
        }
        sequences.append(zip(bytes(of: low), bytes(of: high)).map { $0...$1 })
    }

    private static func bytes(of scalar: UInt32) -> [UInt8] {
        Unicode.Scalar(scalar).map { Array(String(Character($0)).utf8) } ?? []
    }
}
