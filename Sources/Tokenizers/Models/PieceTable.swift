/// Ids by byte strings: a flat table with open addressing over bytes that lie one behind another, so that a vocabulary of
/// hundreds of thousands is read without an object for each.
struct PieceTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where a piece ends, by its number; and its id.
    private var ends: [Int] = []
    private var ids: [Int32] = []
    /// Numbers of pieces from 1 on, with the upper half of their hashes above; 0 is free.
    private var slots: [UInt64]
    private var mask: Int
    /// Of the base, up to the length of the longest piece.
    private var powers: [UInt64] = [1]
    /// Of the polynomial that is a piece's hash: odd, and not known beforehand, so that a file cannot be made of collisions.
    private let base = UInt64.random(in: .min ... .max) | 1

    init(capacity: Int = 0) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        (slots, mask) = ([UInt64](repeating: 0, count: size), size - 1)
    }

    var count: Int { ids.count }
    var isEmpty: Bool { ids.isEmpty }

    mutating func reserveCapacity(_ capacity: Int) {
        if capacity * 2 > slots.count { grow(to: capacity) }
        ends.reserveCapacity(capacity)
        ids.reserveCapacity(capacity)
    }

    subscript(piece: [UInt8]) -> Int32? {
        get { self[piece[...], [][...]] }
        set {
            guard let newValue else { return }
            let hash = Self.finished(polynomial(piece[...]))
            let slot = slot(of: piece[...], [], hash)
            guard slots[slot] == 0 else {
                ids[Int(UInt32(truncatingIfNeeded: slots[slot])) - 1] = newValue
                return
            }
            while powers.count <= piece.count { powers.append(powers[powers.count - 1] &* base) }
            bytes += piece
            ends.append(bytes.count)
            ids.append(newValue)
            slots[slot] = (hash >> 32) << 32 | UInt64(ids.count)
            if ids.count * 2 > slots.count { grow(to: slots.count) }
        }
    }

    /// The id of what two parts make together.
    subscript(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>) -> Int32? {
        let slot = slot(of: left, right, Self.finished(polynomial(right, behind: polynomial(left))))
        return slots[slot] == 0 ? nil : ids[Int(UInt32(truncatingIfNeeded: slots[slot])) - 1]
    }

    /// Every two pieces that make `piece` together, which is one too.
    func forEachCut(of piece: [UInt8], _ body: (_ left: Int32, _ right: Int32) -> Void) {
        // The hash of an end is that of the whole less that of the beginning, moved up by the end's length.
        let whole = polynomial(piece[...])
        var hash: UInt64 = 0
        for cut in 1..<Swift.max(1, piece.count) {
            hash = hash &* base &+ UInt64(piece[cut - 1]) &+ 1
            let left = slots[slot(of: piece[..<cut], [], Self.finished(hash))]
            guard left != 0 else { continue }
            let rest = whole &- hash &* powers[piece.count - cut]
            let right = slots[slot(of: piece[cut...], [], Self.finished(rest))]
            guard right != 0 else { continue }
            body(ids[Int(UInt32(truncatingIfNeeded: left)) - 1], ids[Int(UInt32(truncatingIfNeeded: right)) - 1])
        }
    }

    /// The pieces of at most so many bytes whose ids a condition holds for.
    func filter(upTo length: Int = .max, _ isKept: (_ id: Int32) -> Bool) -> PieceTable {
        var kept = PieceTable()
        for number in ids.indices where isKept(ids[number]) {
            let piece = piece(number)
            if piece.count <= length { kept[Array(piece)] = ids[number] }
        }
        return kept
    }

    private func polynomial(_ part: ArraySlice<UInt8>, behind start: UInt64 = 0) -> UInt64 {
        var hash = start
        for byte in part { hash = hash &* base &+ UInt64(byte) &+ 1 }
        return hash
    }

    private static func finished(_ hash: UInt64) -> UInt64 {
        let mixed = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 29
    }

    /// The slot that holds a piece, or that is free for it.
    private func slot(of left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>, _ hash: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let number = Int(UInt32(truncatingIfNeeded: slots[slot])) - 1
            if slots[slot] >> 32 == hash >> 32, isEqual(number, left, right) { break }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func isEqual(_ number: Int, _ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
        var place = number == 0 ? 0 : ends[number - 1]
        guard ends[number] - place == left.count + right.count else { return false }
        for byte in left {
            if bytes[place] != byte { return false }
            place += 1
        }
        for byte in right {
            if bytes[place] != byte { return false }
            place += 1
        }
        return true
    }

    private func piece(_ number: Int) -> ArraySlice<UInt8> {
        bytes[(number == 0 ? 0 : ends[number - 1])..<ends[number]]
    }

    /// Makes room for so many pieces.
    private mutating func grow(to capacity: Int) {
        var size = slots.count
        while size < capacity * 2 { size *= 2 }
        (slots, mask) = ([UInt64](repeating: 0, count: size), size - 1)
        for number in ids.indices {
            let hash = Self.finished(polynomial(piece(number)))
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = (hash >> 32) << 32 | UInt64(number + 1)
        }
    }
}

extension PieceTable: Sequence, ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral elements: ([UInt8], Int32)...) {
        self.init(capacity: elements.count)
        for (piece, id) in elements { self[piece] = id }
    }

    /// In the order in which they came.
    func makeIterator() -> AnyIterator<(key: [UInt8], value: Int32)> {
        var number = 0
        return AnyIterator {
            guard number < ids.count else { return nil }
            defer { number += 1 }
            return (Array(piece(number)), ids[number])
        }
    }
}
