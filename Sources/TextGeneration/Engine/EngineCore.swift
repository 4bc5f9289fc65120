import Layers
package import Tensors
package import TextModels
import Tokenizers

/// Generates for many requests together: add a request, step, cancel. Pure but for its own cache: no sockets, no
/// clocks, no threads but the device's.
///
/// Each step runs one forward pass over the decoding rows of all running sequences and, within the token budget,
/// chunks of waiting prompts. A sequence's tokens do not depend on what runs beside it, on the chunks, on pages that
/// were shared or taken away meanwhile, nor on drafts.
package struct EngineCore {
    package struct Options: Sendable {
        /// Positions that the key-value cache holds.
        package var cachePositions: Int
        package var cachePrecision = CachePrecision.f32
        /// Rows of one forward pass, at most; without drafts.
        package var tokenBudget = 256
        /// Sequences that run together, at most.
        package var sequenceLimit = 64
        /// Requests that wait, at most.
        package var queueLimit = 1_024
        /// Whether drafts are looked up in prompt and answer, where no draft model is given.
        package var looksUpDrafts = false
        /// Rows that drafts may add to a pass, over all sequences.
        package var draftRows = 16
        /// Tokens of one draft, at most.
        package var draftLimit = 8
        /// Copies of recurrent states that are kept, at most, for prompts to come; of a model that has such layers.
        package var stateCheckpoints = 32

        package init(cachePositions: Int) { self.cachePositions = cachePositions }

        /// The recurrent states that an engine has.
        package var states: DecoderCache.StateCounts {
            .init(sequences: sequenceLimit, checkpoints: stateCheckpoints, logRows: draftLimit)
        }
    }

    /// What a queue looks like from outside.
    package struct Load: Sendable, Hashable {
        package var running: Int
        package var waiting: Int
        /// Tokens still to be computed or generated.
        package var outstandingTokens: Int
        /// Pages that no running sequence holds.
        package var freePages: Int
    }

    /// How far a sequence is.
    package struct Standing: Sendable {
        package var request: UInt64
        /// Rows to be computed before its next token, which the step that brings it does not count.
        package var prompt: Int
        package var generated: Int
        /// Tokens that it may still have, and whether it will have as many.
        package var allowed: Int
        package var hasKnownLength: Bool
        /// Tokens of prompt and answer.
        package var positions: Int
        package var isPatient: Bool

        init(_ sequence: GeneratingSequence) {
            (request, generated, allowed) = (sequence.request, sequence.generatedCount, sequence.remaining)
            prompt = sequence.isDecoding ? 0 : sequence.pending
            (hasKnownLength, positions) = (sequence.parameters.hasKnownLength, sequence.tokens.count)
            isPatient = sequence.parameters.isPatient
        }

        /// A text that is read as a whole.
        init(text request: UInt64, tokens: Int) {
            (self.request, prompt, positions) = (request, tokens, tokens)
            (generated, allowed, hasKnownLength, isPatient) = (0, 0, true, false)
        }
    }

    /// What has happened since the engine was made.
    package struct Statistics: Sendable, Hashable {
        /// Tokens of started prompts, and how many of them were in the cache already.
        package var prefixQueries = 0
        package var prefixHits = 0
        /// Sequences that gave their pages to others.
        package var preemptions = 0
        package var draftedTokens = 0
        package var acceptedTokens = 0

        package init() {}
    }

    package let loaded: LoadedModel
    /// Rows for prompts in one pass, at most: what a caller sets to keep steps short for the streams that run.
    package var promptBudget: Int
    let device: Device
    let options: Options
    private let cache: DecoderCache
    private let draftModel: DraftModel?
    var scheduler: RequestScheduler
    /// What the layers that are elsewhere need; nil where all are here.
    var later: LaterShards?
    private var nextRequest: UInt64 = 1

    /// - Parameters:
    ///   - drafts: a small model with the same tokenizer, that proposes tokens for the large one to check.
    ///   - laterShards: into how many parts the layers that are not here are cut. Then it is ``begin(group:)`` and
    ///     ``take(_:group:)`` that generate, not ``step()``.
    /// - Throws: `TextModelError.resourceExhausted` when the cache does not fit in memory, `.unsupported` for a draft
    ///   model that cannot serve this one.
    package init(
        _ loaded: LoadedModel, drafts: LoadedModel? = nil, laterShards: Int = 0, options: Options, on device: Device
    ) throws(TextModelError) {
        precondition(options.tokenBudget > 0 && options.sequenceLimit > 0, "an engine needs a token budget")
        self.loaded = loaded
        self.device = device
        self.options = options
        promptBudget = options.tokenBudget
        scheduler = RequestScheduler(options, hasStates: loaded.model.state != nil)
        let model = loaded.model, pageCount = scheduler.pages.capacity
        precondition(
            model.layers.lowerBound == 0 && (model.layers.count < model.shape.layers) == (laterShards > 0),
            "layers \(model.layers) of \(model.shape.layers) and \(laterShards) later shards")
        do {
            cache = try model.cache(
                pageCount: pageCount, precision: options.cachePrecision, states: options.states)
            if laterShards > 0 {
                later = try LaterShards(count: laterShards, pageCount: pageCount, shape: model.shape)
                scheduler.releasedSequences = []
            }
        } catch {
            throw TextModelError(error)
        }
        draftModel = try drafts.map { draft throws(TextModelError) in
            try DraftModel(draft, for: loaded, pageCount: pageCount, precision: options.cachePrecision)
        }
    }

    /// What keys and values may take, in bytes.
    package var cacheByteCount: Int { cache.byteCount }
    /// Sequences that run together, at most.
    package var sequenceLimit: Int { options.sequenceLimit }
    /// Positions that the cache holds.
    package var cachePositions: Int { options.cachePositions }
    package var isIdle: Bool { scheduler.isIdle }
    package var load: Load { scheduler.load }
    package var statistics: Statistics {
        get { scheduler.statistics }
        set { scheduler.statistics = newValue }
    }

    /// Tokens that answers have had of late; nil: unknown. Sequences start as far as there is room for as many.
    package var expectedAnswer: Int? {
        get { scheduler.expectedAnswer }
        set { scheduler.expectedAnswer = newValue }
    }

    /// Sequences of patient callers that run together, at most; at least one.
    package var patientLimit: Int {
        get { scheduler.patientLimit }
        set { scheduler.patientLimit = max(1, newValue) }
    }

    /// Sequences that run, and that wait.
    package var runningCount: Int { scheduler.running.count }
    package var waitingCount: Int { scheduler.waitingCount }
    /// Pages of the cache, and how many of them sequences hold.
    package var cachePageCount: Int { scheduler.pages.capacity }
    package var heldPageCount: Int { scheduler.pages.capacity - scheduler.pages.available }
    /// Requests that wait and have not begun.
    package var untouchedRequests: Set<UInt64> { scheduler.untouchedRequests }

    /// Where those stand that run, and those that wait, in order of turn.
    package var standings: (running: [Standing], waiting: [Standing]) { scheduler.standings }

    /// Streams that wait for the next step.
    package var decodingCount: Int { scheduler.running.count { $0.isDecoding } }
    /// Rows of the last step's pass.
    package private(set) var lastRows = 0

    /// Queues a request; its deltas carry the number returned.
    ///
    /// - Throws: `TextModelError.resourceExhausted` when the queue is full, or when the cache could not hold the
    ///   request even alone; `.invalidRequest` and `.resumeMismatch` for a resume that cannot have been.
    package mutating func add(_ request: GenerationRequest) throws(TextModelError) -> UInt64 {
        try scheduler.add(request, number: nextRequest, of: loaded)
        defer { nextRequest += 1 }
        return nextRequest
    }

    /// Forgets a request; what it held is free at once.
    package mutating func cancel(_ request: UInt64) { scheduler.cancel(request) }

    /// Runs one forward pass and returns what it brought; nothing when idle.
    ///
    /// - Throws: `TensorError.tooLarge` when memory for the pass cannot be had; no sequence has more tokens then.
    package mutating func step() throws(TensorError) -> [GenerationDelta] {
        precondition(later == nil, "layers are elsewhere: begin passes and take the answers")
        let computed = try pass(of: 0)
        // What is known without a pass goes out before one that might not come back.
        let early = takeEarly()
        guard let (plan, x) = computed else { return early }
        do {
            return try early + finish(plan, try device.select(plan.logitRows, from: x))
        } catch {
            scheduler.restart(plan)
            throw error
        }
    }

    /// What is known without a pass: no pass begins before it is taken.
    package mutating func takeEarly() -> [GenerationDelta] { scheduler.takeEarly() }

    /// Plans a pass of one group's sequences and takes it through the layers that are here: rows `[R, C]` of the
    /// residual stream. Nothing, when there is nothing to compute or something to be told before.
    mutating func pass(of group: Int) throws(TensorError) -> (plan: RequestScheduler.Plan, rows: Tensor)? {
        lastRows = 0
        scheduler.prepare()
        guard !scheduler.hasEarly else { return nil }
        let drafts = try draft(group)
        let plan = scheduler.plan(group: group, drafts: drafts, promptBudget: max(1, promptBudget))
        lastRows = plan.batch.ids.count
        guard !plan.chunks.isEmpty else { return nil }
        do {
            let x = try loaded.model.embed(plan.batch, on: device)
            try loaded.model.run(x, plan.batch, cache: cache, on: device)
            try draftModelFollows(plan)
            return (plan, x)
        } catch {
            scheduler.restart(plan)
            throw error
        }
    }

    /// Makes tokens of the rows that have gone through all layers, those that the plan wants logits of.
    mutating func finish(_ plan: RequestScheduler.Plan, _ rows: Tensor) throws(TensorError) -> [GenerationDelta] {
        loaded.model.normalize(rows, on: device)
        let (logits, plan) = try self.logits(of: plan, rows)
        let reader = LogitsReader(logits, hidden: rows, loaded, draftLimit: options.draftLimit, on: device)
        let results = device.update(&scheduler.running, at: plan.chunks.map(\.sequence)) { sequence, number in
            reader.advance(&sequence, plan.chunks[number])
        }
        for (chunk, result) in zip(plan.chunks, results) {
            scheduler.share(chunk.sequence, drafts: draftModel != nil)
            scheduler.countDrafts(chunk.drafts.count, accepted: max(0, result.count - 1))
        }
        let deltas = try read(results.flatMap { $0 })
        scheduler.noteProgress(deltas)
        let ended = Set(deltas.filter { $0.finishReason != nil }.map { [$0.request, UInt64($0.choice)] })
        if !ended.isEmpty { scheduler.retire { ended.contains([$0.request, UInt64($0.choice)]) } }
        return deltas
    }

    /// Makes of the pooled states that deltas bring what their requests want.
    private func read(_ deltas: [GenerationDelta]) throws(TensorError) -> [GenerationDelta] {
        var deltas = deltas
        for reading in [GenerationRequest.Reading.embedding, .score] {
            let own = deltas.indices.filter { deltas[$0].reading == reading }
            let results = try loaded.abilities.results(
                of: own.map { deltas[$0].embedding }, for: reading, on: device
            ) { rows throws(TensorError) in try loaded.model.logits(rows, on: device) }
            for (index, result) in zip(own, results) { deltas[index].embedding = result }
        }
        return deltas
    }

    /// The logits of those of the normed rows that are not read for embeddings alone, and where each chunk has its own.
    private func logits(
        of plan: RequestScheduler.Plan, _ rows: Tensor
    ) throws(TensorError) -> (logits: Tensor, plan: RequestScheduler.Plan) {
        func isEmbedding(_ chunk: RequestScheduler.Chunk) -> Bool {
            scheduler.running[chunk.sequence].parameters.isEmbedding
        }
        func adapters(_ plan: RequestScheduler.Plan) -> AdapterRows {
            var adapters = AdapterRows()
            for chunk in plan.chunks where !isEmbedding(chunk) && !chunk.logits.isEmpty {
                if let adapter = scheduler.running[chunk.sequence].parameters.adapter {
                    adapters.append(chunk.logits, adapter)
                }
            }
            return adapters
        }
        guard plan.chunks.contains(where: isEmbedding) else {
            return (try loaded.model.logits(rows, adapters(plan), on: device), plan)
        }
        var plan = plan
        var kept: [Int] = []
        for index in plan.chunks.indices where !isEmbedding(plan.chunks[index]) {
            let own = plan.chunks[index].logits
            plan.chunks[index].logits = kept.count..<kept.count + own.count
            kept += own
        }
        // A head that is used for nothing is not computed.
        guard !kept.isEmpty else { return (rows, plan) }
        return (try loaded.model.logits(try device.select(kept, from: rows), adapters(plan), on: device), plan)
    }

    // MARK: Drafts

    /// Rows that foreseen tokens may add to a pass, over all sequences.
    private static let foreseenRows = 64

    /// Proposals for a group's decoding sequences, by index.
    private mutating func draft(_ group: Int) throws(TensorError) -> [Int: [Int32]] {
        let decoding = scheduler.running.indices.filter {
            scheduler.running[$0].group == group && scheduler.running[$0].isDecoding && scheduler.takesPart($0)
        }
        guard !decoding.isEmpty else { return [:] }
        let share = min(options.draftLimit, options.draftRows / decoding.count)
        if let draftModel {
            let room = Dictionary(
                uniqueKeysWithValues: decoding.map { ($0, scheduler.draftRoom($0, share: share)) })
            // Of drafts that no pass took up nothing is known.
            for index in decoding {
                scheduler.running[index].drafted = min(
                    scheduler.running[index].drafted, scheduler.running[index].computed)
            }
            return try draftModel.propose(&scheduler.running, room: room, on: device)
        }
        var drafts: [Int: [Int32]] = [:]
        let foreseeing = min(options.draftLimit, max(1, Self.foreseenRows / decoding.count))
        for index in decoding {
            let foreseen = scheduler.running[index].sampler.foreseen(limit: foreseeing)
            if !foreseen.isEmpty {
                let room = scheduler.draftRoom(index, share: foreseen.count, isForeseen: true)
                drafts[index] = Array(foreseen.prefix(room))
            }
            guard drafts[index] == nil, options.looksUpDrafts else { continue }
            let found = PromptLookup.propose(
                after: scheduler.running[index].tokens, count: min(share, scheduler.running[index].draftLength))
            if !found.isEmpty { drafts[index] = Array(found.prefix(scheduler.draftRoom(index, share: found.count))) }
        }
        return drafts
    }

    /// Keeps the draft model's cache level with prompts.
    private mutating func draftModelFollows(_ plan: RequestScheduler.Plan) throws(TensorError) {
        guard let draftModel else { return }
        var batch = TokenBatch()
        for chunk in plan.chunks where !scheduler.running[chunk.sequence].isDecoding {
            let sequence = scheduler.running[chunk.sequence]
            if sequence.parameters.isEmbedding { continue }
            batch.append(
                sequence.tokens[sequence.computed..<sequence.computed + chunk.count], from: sequence.computed,
                pages: sequence.pages)
            scheduler.running[chunk.sequence].drafted += chunk.count
        }
        if !batch.ids.isEmpty { try draftModel.follow(batch, on: device) }
    }
}
