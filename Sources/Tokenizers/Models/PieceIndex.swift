/// Pieces by their bytes, for asking after the beginnings and ends of others without making them: a flat table over
/// polynomial hashes, which give those of all parts of a piece.
struct PieceIndex {
    private var bytes: [UInt8] = []
    /// Where a piece ends.
    private var ends: [Int] = []
    private var hashes: [UInt64] = []
    private var values: [Int32] = []
    /// Numbers of pieces from 1 on; 0 is free.
    private var slots: [Int32]
    private let mask: Int
    /// Odd and not known beforehand, so that a file cannot be made of collisions.
    private let base = UInt64.random(in: .min ... .max) | 1

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        (slots, mask) = ([Int32](repeating: 0, count: size), size - 1)
    }

    private func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask }

    /// - Parameter piece: one that is not there, of at most `capacity`.
    mutating func insert(_ piece: [UInt8], _ value: Int32) {
        let hash = piece.reduce(UInt64(0)) { $0 &* base &+ UInt64($1) &+ 1 }
        bytes += piece
        ends.append(bytes.count)
        hashes.append(hash)
        values.append(value)
        var slot = slot(hash)
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(ends.count)
    }

    private func value(_ piece: [UInt8], _ range: Range<Int>, _ hash: UInt64) -> Int32? {
        var slot = slot(hash)
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if hashes[number] == hash, isEqual(number, piece, range) { return values[number] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isEqual(_ number: Int, _ piece: [UInt8], _ range: Range<Int>) -> Bool {
        let start = number == 0 ? 0 : ends[number - 1]
        guard ends[number] - start == range.count else { return false }
        for index in range where bytes[start + index - range.lowerBound] != piece[index] { return false }
        return true
    }

    /// Every two pieces that make `piece` together.
    func forEachCut(of piece: [UInt8], _ body: (_ left: Int32, _ right: Int32) -> Void) {
        // The hash of an end is that of the whole less that of the beginning, moved up by the end's length.
        let whole = piece.reduce(UInt64(0)) { $0 &* base &+ UInt64($1) &+ 1 }
        var powers: [UInt64] = [1]
        for _ in piece { powers.append(powers[powers.count - 1] &* base) }
        var hash: UInt64 = 0
        for cut in 1..<max(1, piece.count) {
            hash = hash &* base &+ UInt64(piece[cut - 1]) &+ 1
            guard let left = value(piece, 0..<cut, hash) else { continue }
            let rest = whole &- hash &* powers[piece.count - cut]
            if let right = value(piece, cut..<piece.count, rest) { body(left, right) }
        }
    }
}
