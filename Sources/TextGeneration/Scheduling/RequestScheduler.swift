import Tensors
import TextModels
import Tokenizers

/// Decides what each forward pass computes: which sequences run, which rows they bring, and who gives way when pages
/// run out.
///
/// - *Order.* Sequences start by turn: requests as they came, and the further choices of a request some turns apart, so
///   that one request for many choices does not fill the batch while others wait. A later sequence never overtakes one
///   that lacks pages.
/// - *Patience.* Of callers that wait for the whole answer only some are served at a time.
/// - *Pages.* A sequence starts when there are pages for its prompt. It takes more as it grows; when there are none, the
///   sequence with the last turn gives its own back, waits, and is computed again later, to the same bits. The first in
///   turn never gives way, so all of them end.
/// - *Rows.* Decoding sequences first, one row each and their drafts; then prompts, in chunks.
/// - *Suspects.* A request under which an instance was lost shares no pass with others until it has a token.
struct RequestScheduler: Sendable {
    /// The rows of one sequence in a pass.
    struct Chunk: Sendable {
        /// Index in `running`.
        var sequence: Int
        /// What the sequence was known by when the pass began.
        var residency: UInt64
        var count: Int
        /// The drafted tokens, which its last rows hold.
        var drafts: [Int32]
        /// The chunk's rows among those whose logits are read.
        var logits: Range<Int>
    }

    struct Plan: Sendable {
        var batch = TokenBatch()
        var chunks: [Chunk] = []
        /// Rows that are read, ascending: for their logits, or for an embedding.
        var logitRows: [Int] = []
    }

    private let options: EngineCore.Options
    var pages: PageCache
    /// In order of turn.
    var running: [GeneratingSequence] = []
    /// In order of turn.
    private var waiting: [GeneratingSequence] = []
    private var admissions: UInt64 = 0
    private var residencies: UInt64 = 0
    /// Sequences run in so many groups, each a pass of its own.
    var groups = 1
    /// Stays that have ended since somebody last looked, where somebody does.
    var releasedSequences: [UInt64]?
    var statistics = EngineCore.Statistics()
    /// Tokens that answers have had of late; nil: unknown. A sequence starts when those that run will have pages for as
    /// many: what has to give way is computed twice.
    var expectedAnswer: Int?
    /// Sequences of patient callers that run together, at most.
    var patientLimit = Int.max
    /// Requests that run alone, and whether they were told that it is their turn.
    private var suspects: [UInt64: Bool] = [:]
    /// The one that runs now.
    private var alone: UInt64?
    /// What is known without a pass.
    private var early: [GenerationDelta] = []
    /// Turns between the choices of one request.
    private static let choiceSpacing: UInt64 = 4

    /// - Parameter hasStates: whether the model has recurrent layers.
    init(_ options: EngineCore.Options, hasStates: Bool) {
        self.options = options
        pages = PageCache(
            pageCount: PageCache.pages(for: max(options.cachePositions, 1)),
            states: hasStates
                ? StateSlots(sequences: options.states.sequences, checkpoints: options.states.checkpoints) : nil)
    }

    var hasWaiting: Bool { !waiting.isEmpty }
    var hasEarly: Bool { !early.isEmpty }
    var isIdle: Bool { running.isEmpty && waiting.isEmpty && early.isEmpty }

    var load: EngineCore.Load {
        func tokens(_ sequences: [GeneratingSequence]) -> Int {
            sequences.reduce(0) { $0 + $1.tokens.count + $1.remaining - $1.computed }
        }
        return EngineCore.Load(
            running: running.count, waiting: waiting.count, outstandingTokens: tokens(running) + tokens(waiting),
            freePages: pages.available)
    }

    var waitingCount: Int { waiting.count }
    /// Requests none of whose sequences has begun.
    var untouchedRequests: Set<UInt64> {
        let begun = Set(running.map(\.request) + waiting.filter { $0.generatedCount > 0 }.map(\.request))
        return Set(waiting.map(\.request)).subtracting(begun)
    }

    /// Where those stand that run, and those that wait, in order of turn.
    var standings: (running: [EngineCore.Standing], waiting: [EngineCore.Standing]) {
        (running.map(EngineCore.Standing.init), waiting.map(EngineCore.Standing.init))
    }

    // MARK: Requests

    /// - Throws: `TextModelError.resourceExhausted` when the queue is full, or when the cache could not hold the
    ///   request even alone; `.invalidRequest` and `.resumeMismatch` for a resume that cannot have been.
    mutating func add(_ request: GenerationRequest, number: UInt64, of loaded: LoadedModel) throws(TextModelError) {
        let abilities = loaded.abilities
        let fault =
            switch request.reading {
            case nil: loaded.generationFault
            case .embedding: abilities.embeddingFault
            case .score: abilities.scoringFault
            }
        if let fault { throw fault }
        guard waiting.count + request.n <= options.queueLimit else {
            throw TextModelError(
                .resourceExhausted, "\(waiting.count) requests wait; the queue holds \(options.queueLimit)")
        }
        let positions = request.prompt.count + request.maxTokens
        guard PageCache.pages(for: positions) <= pages.capacity else {
            throw TextModelError(
                .resourceExhausted,
                "the request needs \(positions) positions; the cache holds \(pages.capacity * KVStorage.pagePositions)")
        }
        let resumed = Dictionary(request.resume.map { ($0.choice, $0) }) { $1 }
        var sequences: [GeneratingSequence] = []
        var ended: [GenerationDelta] = []
        for choice in 0..<request.n where resumed[choice]?.isFinished != true {
            var sequence = GeneratingSequence(
                request: number, choice: choice, parameters: request,
                priority: admissions + UInt64(choice) * Self.choiceSpacing, of: loaded,
                pooling: request.reading.map(abilities.pooling) ?? [])
            let end = try resumed[choice].flatMap { resumed throws(TextModelError) in
                try sequence.resume(resumed, endTokens: loaded.endTokens)
            }
            if let end { ended.append(end) } else { sequences.append(sequence) }
        }
        early += ended
        for sequence in sequences { enqueue(sequence) }
        if request.runsAlone, !sequences.isEmpty { suspects[number] = false }
    }

    private mutating func enqueue(_ sequence: GeneratingSequence) {
        let index = waiting.lastIndex { $0.precedes(sequence) }.map { $0 + 1 } ?? 0
        waiting.insert(sequence, at: index)
    }

    /// Forgets a request; what it held is free at once.
    mutating func cancel(_ request: UInt64) {
        waiting.removeAll { $0.request == request }
        early.removeAll { $0.request == request }
        suspects[request] = nil
        retire { $0.request == request }
    }

    /// Removes finished sequences.
    mutating func retire(_ ended: (GeneratingSequence) -> Bool) {
        for sequence in running where ended(sequence) { giveUpPages(of: sequence) }
        running.removeAll(where: ended)
    }

    /// Gives a sequence's pages back; those in the tree stay there while there is room.
    private mutating func giveUpPages(of sequence: GeneratingSequence) {
        releasedSequences?.append(sequence.residency)
        for page in sequence.pages.dropFirst(sequence.nodes.count) { pages.release(page: page) }
        pages.release(sequence.nodes)
        if let state = sequence.state { pages.release(state) }
    }

    /// Computes again the sequences of a pass that came to nothing, where it may have changed their states.
    mutating func restart(_ plan: Plan) {
        guard pages.states != nil else { return }
        for chunk in plan.chunks {
            guard let index = running.firstIndex(where: { $0.residency == chunk.residency }) else { continue }
            putBack(running.remove(at: index))
        }
    }

    private mutating func putBack(_ sequence: GeneratingSequence) {
        var sequence = sequence
        giveUpPages(of: sequence)
        sequence.lose()
        enqueue(sequence)
    }

    // MARK: Who runs

    /// Starts what can start, and gives every decoding sequence the page for its next token.
    mutating func prepare() {
        admit()
        var index = 0
        while index < running.count {
            if running[index].isDecoding { secure(index, positions: running[index].computed + 1) }
            index += 1
        }
        alone = suspects.isEmpty ? nil : running.first { suspects[$0.request] != nil }?.request
        if let alone, suspects[alone] == false {
            suspects[alone] = true
            early.append(GenerationDelta(request: alone, choice: 0, index: -1, text: "", isStart: true))
        }
    }

    /// What is known without a pass.
    mutating func takeEarly() -> [GenerationDelta] {
        defer { early = [] }
        return early
    }

    /// Whether a running sequence may bring rows to the next pass.
    func takesPart(_ index: Int) -> Bool { alone == nil || running[index].request == alone }

    /// A suspect that the pass brought something for is none any more.
    mutating func noteProgress(_ deltas: [GenerationDelta]) {
        guard !suspects.isEmpty else { return }
        for delta in deltas { suspects[delta.request] = nil }
    }

    private mutating func admit() {
        var index = 0
        var patients = running.count { $0.parameters.isPatient }
        while index < waiting.count, running.count < options.sequenceLimit {
            let isPatient = waiting[index].parameters.isPatient
            if isPatient && patients >= patientLimit || waitsForSibling(waiting[index]) {
                index += 1
                continue
            }
            guard start(waiting[index]) else { return }
            waiting.remove(at: index)
            admissions += 1
            if isPatient { patients += 1 }
        }
    }

    /// Whether another choice is computing the pages of the same prompt right now.
    private func waitsForSibling(_ sequence: GeneratingSequence) -> Bool {
        sequence.parameters.n > 1 && sequence.parameters.prompt.count > KVStorage.pagePositions
            && running.contains { $0.request == sequence.request && !$0.isDecoding }
    }

    private mutating func start(_ candidate: GeneratingSequence) -> Bool {
        var sequence = candidate
        let count = sequence.tokens.count
        // The last token is always computed: its logits are needed. So are all, where all rows are read.
        let limit = sequence.readsAllRows ? 0 : (count - 1) / KVStorage.pagePositions
        let found = pages.match(sequence.tokens, root: sequence.parameters.cacheRoot, limit: limit)
        let missing = PageCache.pages(for: min(count + 1, count + sequence.remaining)) - found.pages.count
        // Each running sequence will want a page soon.
        let growth = max(running.count, running.isEmpty ? 0 : expectedGrowth(with: sequence))
        guard missing + growth <= pages.available else {
            pages.release(found)
            return false
        }
        sequence.computed = found.pages.count * KVStorage.pagePositions
        if pages.states != nil {
            guard let state = pages.takeState(found) else {
                pages.release(found)
                return false
            }
            sequence.state = state
            if found.equal > found.pages.count { sequence.branch = found.equal * KVStorage.pagePositions }
        }
        statistics.prefixQueries += count
        statistics.prefixHits += sequence.computed
        if sequence.cachedTokens == nil {
            sequence.cachedTokens = min(sequence.computed, sequence.parameters.prompt.count)
        }
        sequence.nodes = found.pages.map(\.node)
        sequence.pages = found.pages.map(\.page)
        while sequence.pages.count < found.pages.count + missing, let page = pages.allocate() {
            sequence.pages.append(page)
        }
        sequence.drafted = sequence.computed
        residencies += 1
        (sequence.residency, sequence.group) = (residencies, smallestGroup)
        running.insert(sequence, at: running.lastIndex { $0.precedes(sequence) }.map { $0 + 1 } ?? 0)
        return true
    }

    /// Pages that the running sequences and one more will still take, if their answers are as long as others were.
    private func expectedGrowth(with candidate: GeneratingSequence) -> Int {
        guard let expectedAnswer else { return 0 }
        func growth(_ sequence: GeneratingSequence, from count: Int) -> Int {
            let end = min(
                sequence.tokens.count + sequence.remaining,
                max(sequence.tokens.count, sequence.parameters.prompt.count + expectedAnswer))
            return max(0, PageCache.pages(for: end) - count)
        }
        return running.reduce(growth(candidate, from: PageCache.pages(for: candidate.tokens.count + 1))) {
            $0 + growth($1, from: $1.pages.count)
        }
    }

    private var smallestGroup: Int {
        guard groups > 1 else { return 0 }
        var sizes = Array(repeating: 0, count: groups)
        for sequence in running where sequence.group < groups { sizes[sequence.group] += 1 }
        return sizes.indices.min { sizes[$0] < sizes[$1] } ?? 0
    }

    /// Gets pages for so many positions; others give way for it, from the last in turn, or in the end the sequence
    /// itself.
    private mutating func secure(_ index: Int, positions: Int) {
        while index < running.count, running[index].pages.count * KVStorage.pagePositions < positions {
            if let page = pages.allocate() {
                running[index].pages.append(page)
            } else {
                putBack(running.removeLast())
                statistics.preemptions += 1
            }
        }
    }

    // MARK: What they compute

    /// How many drafted tokens a decoding sequence may bring: as many as it can use, within `share`, without taking a
    /// page from anyone.
    mutating func draftRoom(_ index: Int, share: Int) -> Int {
        let sequence = running[index]
        let wanted = min(sequence.draftLength, share, sequence.remaining - 1)
        while running[index].pages.count * KVStorage.pagePositions < sequence.computed + 1 + wanted {
            guard pages.available > running.count, let page = pages.allocate() else { break }
            running[index].pages.append(page)
        }
        return max(0, min(wanted, running[index].pages.count * KVStorage.pagePositions - sequence.computed - 1))
    }

    /// - Parameters:
    ///   - group: whose sequences it is for.
    ///   - drafts: by index in `running`.
    ///   - promptBudget: rows for prompts, at most.
    mutating func plan(group: Int, drafts: [Int: [Int32]], promptBudget: Int) -> Plan {
        var plan = Plan()
        for index in running.indices
        where running[index].group == group && running[index].isDecoding && takesPart(index) {
            if plan.batch.ids.count >= options.tokenBudget { break }
            add(index, count: 1, drafts: drafts[index] ?? [], to: &plan)
        }
        let budget = min(promptBudget, options.tokenBudget - plan.batch.ids.count)
        for (index, count) in promptShares(group, budget) where count > 0 {
            add(index, count: count, drafts: [], to: &plan)
        }
        return plan
    }

    /// The first in turn is sure of half, so that it comes forward whatever else arrives; the rest goes to the prompts
    /// with the least left, which are answered soonest.
    private func promptShares(_ group: Int, _ budget: Int) -> [(sequence: Int, count: Int)] {
        let prompts = running.indices.filter {
            running[$0].group == group && !running[$0].isDecoding && takesPart($0)
        }
        guard let first = prompts.first, budget > 0 else { return [] }
        var own = min(running[first].pendingInPass, prompts.count == 1 ? budget : (budget + 1) / 2)
        var left = budget - own
        var shares: [(sequence: Int, count: Int)] = []
        for index in prompts.dropFirst().sorted(by: { running[$0].pending < running[$1].pending }) {
            let count = min(running[index].pendingInPass, left)
            left -= count
            shares.append((index, count))
        }
        own += min(running[first].pendingInPass - own, left)
        return [(first, own)] + shares
    }

    private mutating func add(_ index: Int, count: Int, drafts: [Int32], to plan: inout Plan) {
        planState(index, count: count)
        let sequence = running[index]
        let row = plan.batch.ids.count, logit = plan.logitRows.count
        let tokens = sequence.tokens[sequence.computed..<sequence.computed + count] + drafts
        plan.batch.append(
            tokens, from: sequence.computed, pages: sequence.pages,
            state: sequence.state?.use(from: sequence.computed, taking: count), adapter: sequence.parameters.adapter)
        if sequence.readsAllRows {
            plan.logitRows += row..<row + count
        } else if count == sequence.pending {
            plan.logitRows += row + count - 1..<row + tokens.count
        }
        plan.chunks.append(
            Chunk(
                sequence: index, residency: sequence.residency, count: count, drafts: drafts,
                logits: logit..<plan.logitRows.count))
    }

    /// Puts the pages that the last pass has filled into the tree.
    ///
    /// - Parameter drafts: whether a draft model keeps its keys and values in pages of the same numbers.
    mutating func share(_ index: Int, drafts: Bool) {
        settleState(index)
        let sequence = running[index]
        // A text that is embedded is hardly the beginning of another one: its pages are free at once. Those of pairs that
        // are scored often begin with the same query.
        guard sequence.parameters.reading != .embedding else { return }
        let full = (drafts ? min(sequence.computed, sequence.drafted) : sequence.computed) / KVStorage.pagePositions
        for number in sequence.nodes.count..<max(full, sequence.nodes.count) {
            let start = number * KVStorage.pagePositions
            let (node, page) = pages.insert(
                page: running[index].pages[number],
                tokens: Array(sequence.tokens[start..<start + KVStorage.pagePositions]),
                after: running[index].nodes.last, root: sequence.parameters.cacheRoot)
            running[index].nodes.append(node)
            running[index].pages[number] = page
        }
        keepCheckpoint(index)
    }

    mutating func countDrafts(_ proposed: Int, accepted: Int) {
        statistics.draftedTokens += proposed
        statistics.acceptedTokens += accepted
    }
}
