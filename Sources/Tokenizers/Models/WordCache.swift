import Synchronization

/// What words became, for those that come again. It is emptied when it is full: words of bounded length, in bounded
/// number.
final class WordCache: Sendable {
    struct Table: Sendable {
        private struct Slot {
            /// 0 for a slot that is free.
            var hash: UInt64 = 0
            var word: Range<Int32> = 0..<0
            var ids: Range<Int32> = 0..<0
        }

        private var slots: [Slot] = []
        private var count = 0
        private var bytes: [UInt8] = []
        private var ids: [Int32] = []

        private static let wordLimit = 32
        private static let countLimit = 1 << 15

        /// Not known beforehand, so that a text cannot be made of words that collide.
        private var seed = UInt64.random(in: .min ... .max)

        private func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
            var hash = seed
            for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3 }
            return hash | 1
        }

        /// The slot that has a word, or that is free for it.
        private func slot(_ bytes: [UInt8], _ range: Range<Int>, _ hash: UInt64) -> Int {
            let mask = slots.count - 1
            var slot = Int(truncatingIfNeeded: hash >> 20) & mask
            while slots[slot].hash != 0 {
                if slots[slot].hash == hash, isEqual(slots[slot].word, bytes, range) { break }
                slot = (slot + 1) & mask
            }
            return slot
        }

        /// Appends the ids of a word.
        ///
        /// - Returns: false where they are not here.
        func append(_ bytes: [UInt8], _ range: Range<Int>, to out: inout [Int32]) -> Bool {
            guard range.count <= Self.wordLimit, count > 0 else { return false }
            let found = slots[slot(bytes, range, hash(bytes, range))]
            if found.hash == 0 { return false }
            for index in found.ids { out.append(ids[Int(index)]) }
            return true
        }

        /// Keeps what a word became that is not here.
        mutating func remember(_ word: [UInt8], _ made: ArraySlice<Int32>) {
            guard word.count <= Self.wordLimit else { return }
            if (count + 1) * 2 > slots.count { grow() }
            let hash = hash(word, 0..<word.count)
            let (wordStart, idsStart) = (Int32(bytes.count), Int32(ids.count))
            bytes.append(contentsOf: word)
            ids.append(contentsOf: made)
            slots[slot(word, 0..<word.count, hash)] = Slot(
                hash: hash, word: wordStart..<Int32(bytes.count), ids: idsStart..<Int32(ids.count))
            count += 1
        }

        private func isEqual(_ own: Range<Int32>, _ other: [UInt8], _ range: Range<Int>) -> Bool {
            guard own.count == range.count else { return false }
            let offset = range.lowerBound - Int(own.lowerBound)
            for index in Int(own.lowerBound)..<Int(own.upperBound) where bytes[index] != other[index + offset] {
                return false
            }
            return true
        }

        private mutating func grow() {
            guard count < Self.countLimit else {
                self = Table()
                slots = [Slot](repeating: Slot(), count: 512)
                return
            }
            let old = slots
            slots = [Slot](repeating: Slot(), count: max(512, old.count * 2))
            for entry in old where entry.hash != 0 {
                var slot = Int(truncatingIfNeeded: entry.hash >> 20) & (slots.count - 1)
                while slots[slot].hash != 0 { slot = (slot + 1) & (slots.count - 1) }
                slots[slot] = entry
            }
        }
    }

    private let shared = Mutex(Table())

    /// Lends the table that all calls share, or an empty one while another call has it.
    func withTable(_ body: (inout Table) -> Void) {
        if shared.withLockIfAvailable({ body(&$0) }) == nil {
            var own = Table()
            body(&own)
        }
    }
}
