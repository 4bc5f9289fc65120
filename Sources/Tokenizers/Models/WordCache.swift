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

        /// Appends the ids of a word, made by `make` where they are not here.
        mutating func append(_ word: [UInt8], to out: inout [Int32], make: ([UInt8], inout [Int32]) -> Void) {
            guard word.count <= Self.wordLimit else {
                make(word, &out)
                return
            }
            if (count + 1) * 2 > slots.count { grow() }
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in word { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            hash |= 1
            let mask = slots.count - 1
            var slot = Int(truncatingIfNeeded: hash >> 20) & mask
            while slots[slot].hash != 0 {
                let found = slots[slot]
                if found.hash == hash, isEqual(found.word, word) {
                    for index in found.ids { out.append(ids[Int(index)]) }
                    return
                }
                slot = (slot + 1) & mask
            }
            let start = out.count
            make(word, &out)
            let (wordStart, idsStart) = (Int32(bytes.count), Int32(ids.count))
            bytes.append(contentsOf: word)
            ids.append(contentsOf: out[start...])
            slots[slot] = Slot(
                hash: hash, word: wordStart..<Int32(bytes.count), ids: idsStart..<Int32(ids.count))
            count += 1
        }

        private func isEqual(_ range: Range<Int32>, _ word: [UInt8]) -> Bool {
            guard range.count == word.count else { return false }
            let start = Int(range.lowerBound)
            for index in word.indices where bytes[start + index] != word[index] { return false }
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
