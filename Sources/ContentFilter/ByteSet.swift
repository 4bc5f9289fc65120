/// Some of the 256 bytes.
struct ByteSet: Sendable {
    private var words = SIMD4<UInt64>()

    init(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    }

    func isDisjoint(with other: ByteSet) -> Bool { words & other.words == .zero }
}
