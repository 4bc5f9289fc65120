import Tensors

// A recurrent layer keeps no keys and values of each position, but one state, which the next row changes. A prefix that
// others may share, or that the sequence itself may have to go back to, is worth a copy of it: at the end of a prompt's
// last page, where two prompts were seen to part, and at the last page's end of whatever runs.

extension GeneratingSequence {
    /// Rows that one pass may take of those that are pending: none beyond a place where the state is to be kept.
    var pendingInPass: Int {
        guard let branch, branch > computed else { return pending }
        return min(pending, branch - computed)
    }

    /// What the pass under way keeps of the sequence's state.
    var checkpointUnderWay: ShardCall.Part.Checkpoint? {
        guard let checkpoint = state?.checkpoint, checkpoint.position > computed else { return nil }
        return .init(rows: checkpoint.position - computed, lasts: checkpoint.lasts)
    }
}

extension RequestScheduler {
    /// Decides what the next pass takes into a sequence's state, and whether a copy is kept on the way.
    ///
    /// - Parameter count: rows of the pass that are sure to be right.
    mutating func planState(_ index: Int, count: Int) {
        let sequence = running[index]
        guard var state = sequence.state else { return }
        let end = sequence.computed + count
        state.next = end
        if let border = checkpointBorder(sequence, end: end) {
            let lasts = border == sequence.branch || end == sequence.tokens.count && sequence.generatedCount == 0
            pages.begin(at: border, lasts: lasts, of: &state)
        }
        running[index].state = state
        if let branch = sequence.branch, branch <= end { running[index].branch = nil }
    }

    /// Where a pass that brings a sequence to `end` passes a page's end at which its state is worth keeping.
    private func checkpointBorder(_ sequence: GeneratingSequence, end: Int) -> Int? {
        guard sequence.parameters.reading != .embedding else { return nil }
        // Of a prompt that comes again the last token is always computed.
        let isPromptEnd = end == sequence.tokens.count && sequence.generatedCount == 0
        let border = (isPromptEnd ? end - 1 : end) / KVStorage.pagePositions * KVStorage.pagePositions
        return border > sequence.computed ? border : nil
    }

    /// Notes that a pass went through.
    mutating func settleState(_ index: Int) {
        guard var state = running[index].state, let next = state.next else { return }
        if let source = state.source { pages.states?.letGo(source) }
        (state.source, state.position, state.next) = (nil, next, nil)
        running[index].state = state
    }

    /// Puts a checkpoint into the tree once its page is there.
    mutating func keepCheckpoint(_ index: Int) {
        guard var state = running[index].state, let checkpoint = state.checkpoint else { return }
        let number = checkpoint.position / KVStorage.pagePositions - 1
        guard number < running[index].nodes.count, checkpoint.position <= state.position else { return }
        pages.keep(checkpoint, at: running[index].nodes[number], of: &state)
        running[index].state = state
    }
}

extension PageCache {
    /// A slot for a sequence that begins with what was found; nil when all are taken.
    mutating func takeState(_ found: Match) -> SequenceState? {
        guard let slot = states?.takeSequence() else { return nil }
        return SequenceState(
            slot: slot, source: found.checkpoint, position: found.pages.count * KVStorage.pagePositions)
    }

    /// Takes a slot for a checkpoint of a sequence: that which moves with it leaves its page, and another's is not taken.
    mutating func begin(at position: Int, lasts: Bool, of state: inout SequenceState) {
        if let old = state.checkpoint { states?.release(checkpoint: old.slot) }
        if let moving = state.moving { dropCheckpoint(at: moving) }
        state.moving = nil
        state.checkpoint = takeCheckpoint().map { .init(slot: $0, position: position, lasts: lasts) }
    }

    /// Puts a sequence's checkpoint at the end of a page.
    mutating func keep(
        _ checkpoint: SequenceState.PendingCheckpoint, at node: Node, of state: inout SequenceState
    ) {
        state.checkpoint = nil
        guard put(checkpoint: checkpoint.slot, at: node) else { return }
        state.moving = checkpoint.lasts ? nil : node
    }

    /// Lets go of what was found.
    mutating func release(_ found: Match) {
        release(found.pages.map(\.node))
        if let slot = found.checkpoint { states?.letGo(slot) }
    }

    /// Gives a sequence's slot back, and what it had not kept yet.
    mutating func release(_ state: SequenceState) {
        if let source = state.source { states?.letGo(source) }
        if let checkpoint = state.checkpoint { states?.release(checkpoint: checkpoint.slot) }
        states?.release(sequence: state.slot)
    }
}
