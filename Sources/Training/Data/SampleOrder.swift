import Tensors

/// Which samples a step takes: all of them in turn, in another order each epoch, as a function of the seed alone.
package struct SampleOrder: Sendable {
    private let count: Int
    private let seed: UInt64
    private let isShuffled: Bool
    private var epoch = -1
    private var order: [Int] = []

    /// - Parameter isShuffled: otherwise they come in the order of the file, each epoch again.
    package init(count: Int, seed: UInt64, isShuffled: Bool) {
        precondition(count > 0, "an order of \(count) samples")
        (self.count, self.seed, self.isShuffled) = (count, seed, isShuffled)
    }

    /// The samples of a step, counted from 0.
    package mutating func step(_ step: Int, batch: Int) -> [Int] {
        (step * batch..<(step + 1) * batch).map { place in
            if place / count != epoch { begin(place / count) }
            return order[place % count]
        }
    }

    /// Fisher and Yates's shuffle with numbers that the seed and the epoch fix.
    private mutating func begin(_ epoch: Int) {
        self.epoch = epoch
        order = Array(0..<count)
        guard isShuffled else { return }
        let random = Philox(seed: seed)
        for last in stride(from: count - 1, to: 0, by: -1) {
            let words = random.block(
                (UInt32(truncatingIfNeeded: last), UInt32(truncatingIfNeeded: epoch), 0, 0x4F72_6465))
            let number = UInt64(words.0) << 32 | UInt64(words.1)
            order.swapAt(last, Int(number.multipliedFullWidth(by: UInt64(last + 1)).high))
        }
    }
}
