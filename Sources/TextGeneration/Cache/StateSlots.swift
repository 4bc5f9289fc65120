import Tensors

/// The slots of recurrent states: one for each sequence that runs, and checkpoints, copies of states at the ends of
/// pages. Of those the one unused for longest goes first, when another is wanted.
struct StateSlots: Sendable {
    private struct Checkpoint {
        /// The page in the tree at whose end it was made, once that is there.
        var node: PageCache.Node?
        /// Sequences that have still to read it.
        var readers = 0
        var lastUse: UInt64
    }

    private var freeSequences: [Int]
    private var freeCheckpoints: [Int]
    private var held: [Int: Checkpoint] = [:]
    private var clock: UInt64 = 0

    /// - Parameters:
    ///   - sequences: their slots come first.
    init(sequences: Int, checkpoints: Int) {
        freeSequences = (0..<sequences).reversed()
        freeCheckpoints = (sequences..<sequences + checkpoints).reversed()
    }

    // MARK: Sequences

    /// A slot for a sequence, or nil when all run.
    mutating func takeSequence() -> Int? { freeSequences.popLast() }

    mutating func release(sequence slot: Int) { freeSequences.append(slot) }

    // MARK: Checkpoints

    /// A slot for a checkpoint, and the node that loses its own for it; nil when all are about to be read.
    mutating func takeCheckpoint() -> (slot: Int, from: PageCache.Node?)? {
        clock += 1
        if let slot = freeCheckpoints.popLast() {
            held[slot] = Checkpoint(lastUse: clock)
            return (slot, nil)
        }
        // What is not in the tree yet is some sequence's own.
        let oldest = held.filter { $0.value.readers == 0 && $0.value.node != nil }.min {
            $0.value.lastUse < $1.value.lastUse
        }
        guard let oldest else { return nil }
        held[oldest.key] = Checkpoint(lastUse: clock)
        return (oldest.key, oldest.value.node)
    }

    mutating func put(_ slot: Int, at node: PageCache.Node) { held[slot]?.node = node }

    /// Notes that a sequence will read a checkpoint, or has done so.
    mutating func hold(_ slot: Int) {
        clock += 1
        held[slot]?.readers += 1
        held[slot]?.lastUse = clock
    }

    mutating func letGo(_ slot: Int) { held[slot]?.readers -= 1 }

    /// Whether nobody is about to read it.
    func isIdle(_ slot: Int) -> Bool { held[slot]?.readers == 0 }

    mutating func release(checkpoint slot: Int) {
        held[slot] = nil
        freeCheckpoints.append(slot)
    }
}

/// Where a sequence's recurrent state is.
struct SequenceState: Sendable {
    let slot: Int
    /// The checkpoint that it begins with, until its first pass.
    var source: Int?
    /// Tokens that are in the state; those behind, up to where the sequence is, are in its log.
    var position: Int
    /// Tokens that the pass under way takes into it.
    var next: Int?
    /// A checkpoint that was made, or is being made, and whose page is not in the tree yet.
    var checkpoint: PendingCheckpoint?
    /// The page at whose end the sequence has a checkpoint that goes when the next is there.
    var moving: PageCache.Node?

    struct PendingCheckpoint: Sendable {
        var slot: Int
        var position: Int
        /// Whether it stays when the sequence goes on.
        var lasts: Bool
    }

    /// What a pass does with it.
    ///
    /// - Parameters:
    ///   - computed: where the sequence is.
    ///   - count: rows that are sure to be right.
    func use(from computed: Int, taking count: Int) -> StateUse {
        let begins = source == nil && position == 0
        return StateUse(
            slot: slot, source: begins ? nil : source ?? slot, logged: computed - position, taken: count,
            checkpoint: checkpoint.flatMap {
                $0.position > computed ? .init(slot: $0.slot, rows: $0.position - computed) : nil
            })
    }
}
