package import Tensors

/// What a decoder keeps of the rows that it has seen: the keys and values of layers that attend, by page, and the states
/// of recurrent ones, by slot.
package struct DecoderCache: Sendable {
    package let pages: KVStorage
    /// Nil for a model without recurrent layers.
    package let states: StateStorage?

    /// How many states there are.
    package struct StateCounts: Sendable, Hashable {
        /// Sequences that run together, at most.
        package var sequences: Int
        package var checkpoints: Int
        /// Rows of a pass that can be taken back.
        package var logRows: Int

        package init(sequences: Int, checkpoints: Int, logRows: Int) {
            (self.sequences, self.checkpoints, self.logRows) = (sequences, checkpoints, logRows)
        }

        /// As many as an engine has by default.
        package static let standard = StateCounts(sequences: 64, checkpoints: 32, logRows: 8)
        /// One sequence that never goes back.
        package static let single = StateCounts(sequences: 1, checkpoints: 0, logRows: 0)
    }

    package init(pages: KVStorage, states: StateStorage? = nil) { (self.pages, self.states) = (pages, states) }

    /// The size of all pages and states, in bytes; memory that was never written is not taken.
    package var byteCount: Int { pages.byteCount + (states?.byteCount ?? 0) }
}
