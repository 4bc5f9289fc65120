import Tensors
import TextModels
import Tokenizers

/// One choice of one request on its way through the engine.
struct GeneratingSequence: Sendable {
    let request: UInt64
    let choice: Int
    let parameters: GenerationRequest
    /// The sequence's place in the order of admission.
    let priority: UInt64
    /// Where its keys and values are, 32 positions a page.
    var pages: [Int32] = []
    /// The first of `pages` stand in the tree, where others may share them; the rest are its own.
    var nodes: [PageCache.Node] = []
    /// Of a model with recurrent layers.
    var state: SequenceState?
    /// Where pages with the same tokens ended whose states were missing: the state is worth keeping there.
    var branch: Int?
    /// Prompt and answer.
    private(set) var tokens: [Int32]
    /// Numbers the sequence's time in the cache; it has another number after it had to give its pages back.
    var residency: UInt64 = 0
    /// The group of sequences that go through the layers together.
    var group = 0
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    /// Tokens of the prompt that were in the cache when the sequence first began.
    var cachedTokens: Int?
    /// Tokens whose keys and values are in the draft model's cache.
    var drafted = 0
    /// How many tokens a draft may have: as many as were right last time, and two more.
    var draftLength = 2
    var promptLogProbabilities: [TokenLogProbability] = []
    /// Of a text that is read, its states so far.
    var pool: Pool
    private let pooling: [PoolingMode]
    private(set) var sampler: Sampler
    private var decoder: StreamingDecoder
    private var stops: StopMatcher
    /// Where thoughts have a limit.
    private var thoughts: ThoughtMeter?
    /// Control tokens that stop strings name, and those: they add no text in which a string could be found.
    private let stopTokens: [Int32: String]
    private(set) var generatedCount = 0
    /// Bytes of the text that deltas have brought.
    private var textBytes = 0
    /// Text that a resume's caller lacks: the next delta brings it.
    private var unsent = ""

    /// - Parameter pooling: of a text that is read.
    init(
        request: UInt64, choice: Int, parameters: GenerationRequest, priority: UInt64, of loaded: LoadedModel,
        pooling: [PoolingMode] = []
    ) {
        (self.request, self.choice, self.parameters, self.priority) = (request, choice, parameters, priority)
        (self.pooling, pool) = (pooling, Pool(pooling))
        tokens = parameters.prompt
        sampler = Sampler(
            parameters.sampling, choice: choice, prompt: parameters.prompt, suppressed: loaded.suppressedTokens,
            grammar: parameters.grammar)
        decoder = StreamingDecoder(
            loaded.tokenizer, showing: Set(parameters.shownTokens.compactMap(loaded.tokenizer.id(of:))))
        stops = StopMatcher(parameters.stop)
        thoughts = parameters.thoughtLimit.map { ThoughtMeter($0, loaded.tokenizer) }
        let named = parameters.stop.compactMap { stop in loaded.tokenizer.id(of: stop).map { ($0, stop) } }
        stopTokens = Dictionary(named.filter { loaded.tokenizer.isSpecial($0.0) }) { first, _ in first }
    }

    var pending: Int { tokens.count - computed }
    /// Whether all but its newest token is in the cache: it brings a token with every step.
    var isDecoding: Bool { pending == 1 && generatedCount > 0 }
    /// Tokens still to be generated.
    var remaining: Int { parameters.maxTokens - generatedCount }
    var wantsPromptLogProbabilities: Bool { parameters.promptLogProbabilities && choice == 0 && generatedCount == 0 }
    /// Whether every row of its prompt is read, so that none may come from the cache.
    var readsAllRows: Bool { wantsPromptLogProbabilities || parameters.isEmbedding && pooling != [.last] }

    /// Whether it comes before another in turn.
    func precedes(_ other: Self) -> Bool {
        (priority, request, choice) < (other.priority, other.request, other.choice)
    }

    /// Forgets where its keys and values were: all of them have to be computed again. What it has generated stays.
    mutating func lose() {
        (pages, nodes, computed, drafted) = ([], [], 0, 0)
        (state, branch) = (nil, nil)
        pool = Pool(pooling)
        if generatedCount == 0 { promptLogProbabilities = [] }
    }

    /// - Returns: nil where the grammar leaves no token.
    func choose(_ logits: Tensor, allowed: Int) -> Int32? {
        if let id = thoughts?.due(isWhole: decoder.isWhole), sampler.mayFollow(id) { return id }
        return sampler.sample(logits, allowed: allowed)
    }

    /// Takes over from a lost instance: the ids are replayed, so that all goes on as if they had been generated here.
    ///
    /// - Returns: the end of the choice, when the ids are all of it and the caller lacks no more than that.
    /// - Throws: `TextModelError`: `.invalidRequest` when ids follow the end, `.resumeMismatch` when their text has no
    ///   character that begins where the caller's ends.
    mutating func resume(_ resumed: ResumedChoice, endTokens: Set<Int32>) throws(TextModelError) -> GenerationDelta? {
        var text = ""
        var end: Ending?
        for (index, id) in resumed.ids.enumerated() {
            guard end == nil else {
                throw TextModelError(
                    .invalidRequest, "resumed choice \(choice) ends with id \(index) of \(resumed.ids.count)",
                    field: "resume")
            }
            let (shown, ending) = extend(by: id, endTokens: endTokens)
            text += shown
            end = ending
        }
        guard resumed.textBytes <= text.utf8.count,
            let rest = String(validating: text.utf8.dropFirst(resumed.textBytes), as: UTF8.self)
        else {
            throw TextModelError(
                .resumeMismatch,
                "resumed choice \(choice): \(resumed.textBytes) bytes of text do not fit its ids, which give \(text.utf8.count)",
                field: "resume")
        }
        (textBytes, unsent) = (resumed.textBytes, rest)
        guard let end else { return nil }
        var delta = GenerationDelta(request: request, choice: choice, index: -1, text: "")
        send("", in: &delta)
        delta.end(end)
        return delta
    }

    /// Takes a chosen token; the delta says whether the choice ends with it.
    mutating func accept(
        _ id: Int32, logProbability: TokenLogProbability?, endTokens: Set<Int32>
    ) -> GenerationDelta {
        let (text, ending) = extend(by: id, endTokens: endTokens)
        var delta = GenerationDelta(
            request: request, choice: choice, index: generatedCount - 1, token: id, text: "",
            logProbability: logProbability)
        if generatedCount == 1 {
            delta.promptLogProbabilities = promptLogProbabilities
            if choice == 0 { delta.cachedTokens = cachedTokens ?? 0 }
        }
        send(text, in: &delta)
        delta.end(ending)
        return delta
    }

    /// Ends the choice where no token may follow.
    mutating func end() -> GenerationDelta {
        var delta = GenerationDelta(request: request, choice: choice, index: -1, text: "")
        let (text, ending) = flush(.length)
        send(text, in: &delta)
        delta.end(ending)
        return delta
    }

    private mutating func send(_ text: String, in delta: inout GenerationDelta) {
        delta.text = unsent + text
        delta.textOffset = textBytes
        textBytes += delta.text.utf8.count
        unsent = ""
    }

    /// Why a choice ends, and the stop string that ends it.
    fileprivate struct Ending {
        var reason: FinishReason
        var stop: String?
    }

    /// Adds a token to the answer; returns the text that can be shown now, and why the choice ends with it, if it does.
    private mutating func extend(by id: Int32, endTokens: Set<Int32>) -> (text: String, ending: Ending?) {
        tokens.append(id)
        sampler.advance(id)
        generatedCount += 1
        let isEnd = !parameters.ignoresEndOfText && endTokens.contains(id)
        if isEnd { return flush(.stop) }
        if let stop = stopTokens[id] { return flush(.stop, by: stop) }
        let piece = decoder.append(id)
        thoughts?.take(id, piece)
        let (text, stop) = stops.append(piece)
        if stop != nil { return (text, Ending(reason: .stop, stop: stop)) }
        guard sampler.isDone || generatedCount >= parameters.maxTokens else { return (text, nil) }
        let (rest, ending) = flush(sampler.isDone ? .stop : .length)
        return (text + rest, ending)
    }

    /// What decoder and stop strings still hold. A stop string that the last bytes complete cuts there too.
    private mutating func flush(_ reason: FinishReason, by given: String? = nil) -> (text: String, ending: Ending) {
        let (text, stop) = stops.append(decoder.finish())
        if stop != nil { return (text, Ending(reason: .stop, stop: stop)) }
        return (text + stops.finish(), Ending(reason: reason, stop: given))
    }
}

extension GenerationDelta {
    fileprivate mutating func end(_ ending: GeneratingSequence.Ending?) {
        (finishReason, stopSequence) = (ending?.reason, ending?.stop ?? "")
    }
}
