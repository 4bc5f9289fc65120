package import Layers
package import Tensors
package import TextModels

/// The layers of a later shard and their keys and values. Pure but for its own cache, like ``EngineCore``.
///
/// Sequences stay until they are released or, the one unused for longest first, until their pages are needed. Full
/// pages stand in a tree by their tokens, as in the first shard, so that a prompt that begins like an earlier one is
/// not computed again. A page enters the tree when a call names a position beyond it: what was only drafted never does.
package struct ShardCore {
    /// A sequence, and whose it is.
    private struct Key: Hashable {
        var owner: String
        var sequence: UInt64
    }

    fileprivate struct Held {
        var root: String
        var pages: [Int32] = []
        /// The first of `pages` stand in the tree.
        var nodes: [PageCache.Node] = []
        /// The tokens of the positions whose keys and values are in the pages.
        var tokens: [Int32] = []
        /// Of a model with recurrent layers.
        var state: SequenceState?
        var lastUse: UInt64 = 0
    }

    /// The layers.
    package let model: any TextModel
    private let device: Device
    private let cache: DecoderCache
    private var pages: PageCache
    private var held: [Key: Held] = [:]
    private var clock: UInt64 = 0
    /// Positions that were in the tree when a sequence came.
    package private(set) var prefixHits = 0

    /// Sequences that are kept, at most.
    private static let sequenceLimit = 16_384

    /// - Throws: `TextModelError.resourceExhausted` when the cache does not fit in memory.
    package init(
        _ model: any TextModel, cachePositions: Int, cachePrecision: CachePrecision = .f32,
        states: DecoderCache.StateCounts = .standard, on device: Device
    ) throws(TextModelError) {
        self.model = model
        self.device = device
        pages = PageCache(
            pageCount: PageCache.pages(for: max(cachePositions, 1)),
            states: model.state == nil
                ? nil : StateSlots(sequences: states.sequences, checkpoints: states.checkpoints))
        do {
            cache = try model.cache(pageCount: pages.capacity, precision: cachePrecision, states: states)
        } catch {
            throw TextModelError(error)
        }
    }

    /// Pages that no sequence holds.
    package var freePages: Int { pages.available }
    /// Sequences that are kept.
    package var sequenceCount: Int { held.count }

    /// - Parameters:
    ///   - owner: who numbers the sequences.
    ///   - adapters: those that the call names, by content id, as they are for the layers here.
    /// - Throws: `TextModelError.resourceExhausted` when the sequences of the call do not fit the cache, even alone;
    ///   `.invalidRequest` for an adapter that is not given.
    package mutating func forward(
        _ call: ShardCall, owner: String, adapters: [String: LowRankAdapter] = [:]
    ) throws(TextModelError) -> ShardAnswer {
        if let missing = call.adapters.first(where: { adapters[$0] == nil }) {
            throw TextModelError(.invalidRequest, "the adapter \(missing) is not here", field: "sequences")
        }
        clock += 1
        let keys = call.parts.map { Key(owner: owner, sequence: $0.sequence) }
        var missing: [UInt64: Int?] = [:]
        for (part, key) in zip(call.parts, keys) {
            let have = try position(before: part, key, keeping: Set(keys))
            if have != part.start { missing.updateValue(have, forKey: part.sequence) }
        }
        guard missing.isEmpty else { return .missing(missing) }
        for (part, key) in zip(call.parts, keys) {
            share(key, below: part.start)
            try secure(key, positions: part.end, keeping: Set(keys))
        }
        var batch = TokenBatch()
        var outputs: [Int] = []
        for (part, key) in zip(call.parts, keys) {
            held[key]?.prepare(part, &pages)
            let state = held[key]?.state?.use(from: part.start, taking: part.taken)
            batch.append(
                part.rowTokens, from: part.start, pages: held[key]?.pages ?? [], state: state,
                adapter: adapters[part.adapter])
            outputs += batch.ids.count - part.outputs..<batch.ids.count
        }
        do {
            try model.run(call.rows, batch, cache: cache, on: device)
            for (part, key) in zip(call.parts, keys) {
                held[key]?.tokens += part.rowTokens
                held[key]?.settle(&pages)
            }
            return .rows(try call.rows.selectingRows(outputs))
        } catch {
            // Their states are somewhere between before and after.
            if pages.states != nil { for key in keys { drop(key) } }
            throw TextModelError(error)
        }
    }

    /// Forgets sequences that are done.
    package mutating func release(_ sequences: [UInt64], owner: String) {
        for sequence in sequences { drop(Key(owner: owner, sequence: sequence)) }
    }

    // MARK: Sequences

    /// How many positions before the part's rows are here, at most all of them; nil for a sequence that is not known.
    private mutating func position(
        before part: ShardCall.Part, _ key: Key, keeping keys: Set<Key>
    ) throws(TextModelError) -> Int? {
        if let entry = held[key] {
            let known = min(entry.tokens.count, part.start)
            if entry.root != part.root || part.hasAllTokens && part.tokens[..<known] != entry.tokens[..<known] {
                // Another sequence under the same number.
                drop(key)
            } else {
                rewind(key, to: part.start)
            }
        }
        if held[key] == nil {
            guard part.hasAllTokens else { return nil }
            try start(part, key, keeping: keys)
        }
        held[key]?.lastUse = clock
        return held[key]?.tokens.count
    }

    private mutating func start(_ part: ShardCall.Part, _ key: Key, keeping keys: Set<Key>) throws(TextModelError) {
        while held.count >= Self.sequenceLimit, let idle = longestUnused(keeping: []) { drop(idle) }
        let found = pages.match(part.tokens, root: part.root, limit: part.start / KVStorage.pagePositions)
        let positions = found.pages.count * KVStorage.pagePositions
        var state: SequenceState?
        if pages.states != nil {
            state = pages.takeState(found)
            while state == nil, let idle = longestUnused(keeping: keys) {
                drop(idle)
                state = pages.takeState(found)
            }
            guard state != nil else {
                pages.release(found)
                throw TextModelError(
                    .resourceExhausted,
                    "\(keys.count) sequences in one call; the shard has states for fewer, give it --sequences as the first "
                        + "shard has")
            }
        }
        prefixHits += positions
        held[key] = Held(
            root: part.root, pages: found.pages.map(\.page), nodes: found.pages.map(\.node),
            tokens: Array(part.tokens[..<positions]), state: state)
    }

    /// Forgets what lies from a position on. Pages in the tree may be others' too and are never written again: a
    /// sequence that goes back behind one gives it up, and has to be given the rows before the position once more.
    private mutating func rewind(_ key: Key, to position: Int) {
        guard var entry = held[key] else { return }
        let position = entry.rewindState(to: min(position, entry.tokens.count), &pages)
        let page = position / KVStorage.pagePositions
        if page < entry.nodes.count {
            for own in entry.pages[entry.nodes.count...] { pages.release(page: own) }
            pages.release(Array(entry.nodes[page...]))
            entry.nodes.removeSubrange(page...)
            entry.pages.removeSubrange(page...)
            entry.tokens.removeSubrange(min(page * KVStorage.pagePositions, entry.tokens.count)...)
        }
        if entry.tokens.count > position { entry.tokens.removeSubrange(position...) }
        held[key] = entry
    }

    private mutating func drop(_ key: Key) {
        guard let entry = held.removeValue(forKey: key) else { return }
        for own in entry.pages[entry.nodes.count...] { pages.release(page: own) }
        pages.release(entry.nodes)
        if let state = entry.state { pages.release(state) }
    }

    private func longestUnused(keeping keys: Set<Key>) -> Key? {
        held.filter { !keys.contains($0.key) && $0.value.lastUse < clock }.min { $0.value.lastUse < $1.value.lastUse }?
            .key
    }

    // MARK: Pages

    /// Puts full pages before a position into the tree.
    private mutating func share(_ key: Key, below position: Int) {
        guard var entry = held[key] else { return }
        for number in entry.nodes.count..<max(position / KVStorage.pagePositions, entry.nodes.count) {
            let start = number * KVStorage.pagePositions
            let (node, page) = pages.insert(
                page: entry.pages[number], tokens: Array(entry.tokens[start..<start + KVStorage.pagePositions]),
                after: entry.nodes.last, root: entry.root)
            entry.nodes.append(node)
            entry.pages[number] = page
        }
        entry.keepCheckpoint(&pages)
        held[key] = entry
    }

    private mutating func secure(_ key: Key, positions: Int, keeping keys: Set<Key>) throws(TextModelError) {
        while let count = held[key]?.pages.count, count < PageCache.pages(for: positions) {
            if let page = pages.allocate() {
                held[key]?.pages.append(page)
            } else if let idle = longestUnused(keeping: keys) {
                drop(idle)
            } else {
                throw TextModelError(
                    .resourceExhausted,
                    "\(keys.count) sequences do not fit the shard's cache of "
                        + "\(pages.capacity * KVStorage.pagePositions) positions; give it as many as the first shard has"
                )
            }
        }
    }
}

// The states of recurrent layers: as in the first shard, which says what is kept.
extension ShardCore.Held {
    /// Takes a slot for what the part wants kept.
    fileprivate mutating func prepare(_ part: ShardCall.Part, _ cache: inout PageCache) {
        guard var state else { return }
        state.next = part.start + part.taken
        if let wanted = part.checkpoint {
            cache.begin(at: part.start + wanted.rows, lasts: wanted.lasts, of: &state)
        }
        self.state = state
    }

    /// Notes that the pass went through.
    fileprivate mutating func settle(_ cache: inout PageCache) {
        guard var state, let next = state.next else { return }
        if let source = state.source { cache.states?.letGo(source) }
        (state.source, state.position, state.next) = (nil, next, nil)
        self.state = state
    }

    fileprivate mutating func keepCheckpoint(_ cache: inout PageCache) {
        guard var state, let checkpoint = state.checkpoint else { return }
        let number = checkpoint.position / KVStorage.pagePositions - 1
        guard number < nodes.count, checkpoint.position <= state.position else { return }
        cache.keep(checkpoint, at: nodes[number], of: &state)
        self.state = state
    }

    /// Goes back with the state too: to the position, or, where it has gone further and its log does not tell, to the
    /// last one before that is known, or to the beginning.
    ///
    /// - Returns: where it is then.
    fileprivate mutating func rewindState(to position: Int, _ cache: inout PageCache) -> Int {
        guard var state, state.position > position else { return position }
        if let source = state.source { cache.states?.letGo(source) }
        if let checkpoint = state.checkpoint { cache.states?.release(checkpoint: checkpoint.slot) }
        let last = cache.lastCheckpoint(of: Array(nodes.prefix(position / KVStorage.pagePositions)))
        (state.source, state.checkpoint, state.moving) = (last?.slot, nil, nil)
        state.position = (last?.pages ?? 0) * KVStorage.pagePositions
        self.state = state
        return state.position
    }
}
