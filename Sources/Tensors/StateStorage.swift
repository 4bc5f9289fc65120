internal import CKernels

/// The extents of the states that a model's recurrent layers keep of a sequence, in the place of pages.
package struct StateShape: Sendable, Hashable {
    /// Layers that have a state.
    package var layers: Int
    /// Inputs that a short convolution sees, and its channels; 0 for none.
    package var taps: Int
    package var channels: Int
    /// The heads of a delta rule, and the rows and columns of each head's state; 0 for none.
    package var keyHeads = 0
    package var valueHeads = 0
    package var keyDim = 0
    package var valueDim = 0
    /// Whether value heads that share a key head stand as far apart as there are key heads, in the place of side by side.
    package var isTiled = false

    package init(layers: Int, taps: Int, channels: Int) {
        (self.layers, self.taps, self.channels) = (layers, taps, channels)
    }

    /// Extents that the kernels have.
    package static var tapsRange: ClosedRange<Int> { 2...Int(NEPHELE_MAX_TAPS) }
    package static var keyRange: ClosedRange<Int> { 1...Int(NEPHELE_MAX_STATE_KEY) }

    /// Where a layer's state and its log have their parts, in floats.
    var matrixOffset: Int { (taps - 1) * channels }
    var floats: Int { matrixOffset + valueHeads * keyDim * valueDim }
    func deltaOffset(_ rows: Int) -> Int { rows * channels }
    func decayOffset(_ rows: Int) -> Int { deltaOffset(rows) + rows * valueHeads * valueDim }
    func keyOffset(_ rows: Int) -> Int { decayOffset(rows) + rows * valueHeads }
    func logFloats(_ rows: Int) -> Int { keyOffset(rows) + rows * keyHeads * keyDim }

    /// Bytes of one sequence's state, without its log.
    package var byteCount: Int { layers * floats * DType.f32.size }

    /// Bytes of a storage of these extents.
    package func byteCount(sequences: Int, checkpoints: Int, logRows: Int) -> Int {
        (sequences + checkpoints) * byteCount + sequences * layers * logFloats(logRows) * DType.f32.size
    }
}

/// States of so many sequences, each with a log of rows that may still be taken back, and of checkpoints: copies of
/// states as they were at a position, from which another sequence, or the same one later, can go on.
package struct StateStorage: Sendable {
    package let shape: StateShape
    /// The slots of sequences are 0..<sequences, those of checkpoints come after.
    package let sequences: Int
    package let checkpoints: Int
    /// Rows of a pass that can be taken back.
    package let logRows: Int
    private let states: Tensor  // [sequences + checkpoints, layers, floats of a state]
    private let logs: Tensor  // [sequences, layers, floats of a log]

    /// - Throws: `TensorError.tooLarge` when it does not fit in memory.
    package init(
        _ shape: StateShape, sequences: Int, checkpoints: Int = 0, logRows: Int = 0
    ) throws(TensorError) {
        (self.shape, self.sequences, self.checkpoints, self.logRows) = (shape, sequences, checkpoints, logRows)
        states = try Tensor(zeros: [sequences + checkpoints, shape.layers, shape.floats])
        logs = try Tensor(zeros: [sequences, shape.layers, shape.logFloats(logRows)])
    }

    /// Bytes that it may take: memory that was never written takes none.
    package var byteCount: Int {
        shape.byteCount(sequences: sequences, checkpoints: checkpoints, logRows: logRows)
    }

    func state(_ slot: Int, layer: Int) -> UnsafeMutablePointer<Float> {
        states.f32 + (slot * shape.layers + layer) * shape.floats
    }

    func log(_ slot: Int, layer: Int) -> UnsafeMutablePointer<Float> {
        logs.f32 + (slot * shape.layers + layer) * shape.logFloats(logRows)
    }
}

/// What a pass does with the state of one sequence.
package struct StateUse: Sendable, Hashable {
    /// Where the sequence's state is.
    package var slot: Int
    /// Where it is read: `slot` itself, a checkpoint's, or nil for the beginning of a sequence.
    package var source: Int?
    /// So many rows of the log belong to it.
    package var logged: Int
    /// So many of the pass's rows, one at least, go into the state; those behind go to the log.
    package var taken: Int
    /// Where the state after so many of the taken rows is put too.
    package var checkpoint: Checkpoint?

    package struct Checkpoint: Sendable, Hashable {
        package var slot: Int
        package var rows: Int

        package init(slot: Int, rows: Int) { (self.slot, self.rows) = (slot, rows) }
    }

    package init(slot: Int, source: Int?, logged: Int = 0, taken: Int, checkpoint: Checkpoint? = nil) {
        (self.slot, self.source, self.logged) = (slot, source, logged)
        (self.taken, self.checkpoint) = (taken, checkpoint)
    }
}

/// The sequences of one forward pass, in the order of its rows.
package struct StateRows: Sendable {
    private var spans: [(rows: Range<Int>, use: StateUse)] = []

    package init() {}

    package mutating func append(_ rows: Range<Int>, _ use: StateUse) {
        precondition(
            (1...max(1, rows.count)).contains(use.taken) && !rows.isEmpty && use.logged >= 0
                && (use.checkpoint.map { (1...use.taken).contains($0.rows) } ?? true)
                && (use.logged == 0 || use.source == use.slot),
            "\(rows.count) rows of a state that takes \(use.taken)")
        spans.append((rows, use))
    }

    /// Whether every row of a pass has its state.
    func covers(_ count: Int) -> Bool { (spans.last?.rows.upperBound ?? 0) == count }

    func forEachLogged(_ body: (_ rows: Range<Int>, _ slot: Int) -> Void) {
        for (rows, use) in spans where rows.count > use.taken { body(rows.dropFirst(use.taken), use.slot) }
    }

    func withSpans<R>(
        _ storage: StateStorage, layer: Int, _ body: (UnsafePointer<nephele_state_span>?, Int) -> R
    ) -> R {
        withUnsafeTemporaryAllocation(of: nephele_state_span.self, capacity: spans.count) { target in
            for (index, (rows, use)) in spans.enumerated() {
                precondition(
                    use.slot < storage.sequences && max(use.logged, rows.count - use.taken) <= storage.logRows,
                    "slot \(use.slot) of \(storage.sequences) with \(rows.count) rows, \(use.taken) taken")
                target.initializeElement(
                    at: index,
                    to: nephele_state_span(
                        row: rows.lowerBound, rows: rows.count,
                        source: use.source.map { UnsafePointer(storage.state($0, layer: layer)) },
                        target: storage.state(use.slot, layer: layer), log: storage.log(use.slot, layer: layer),
                        logged: use.logged, taken: use.taken,
                        checkpoint: use.checkpoint.map { storage.state($0.slot, layer: layer) },
                        checkpoint_rows: use.checkpoint?.rows ?? 0))
            }
            return body(UnsafePointer(target.baseAddress), spans.count)
        }
    }
}
