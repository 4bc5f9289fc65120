import Tensors
import Tokenizers

/// One choice of one request on its way through the engine.
struct GeneratingSequence: Sendable {
    let request: UInt64
    let choice: Int
    let parameters: GenerationRequest
    /// Its place in the order of admission.
    let turn: UInt64
    /// Where its keys and values are, 32 positions a page.
    var pages: [Int32] = []
    /// The first of `pages` stand in the tree, where others may share them; the rest are its own.
    var nodes: [PageCache.Node] = []
    /// Prompt and answer.
    private(set) var tokens: [Int32]
    /// The number of its stay in the cache; it has another one after it had to give way.
    var stay: UInt64 = 0
    /// With which others it goes through the layers.
    var group = 0
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    /// Tokens whose keys and values are in the draft model's cache.
    var drafted = 0
    /// How many tokens a draft may have: as many as were right last time, and two more.
    var draftLength = 2
    var promptLogProbabilities: [TokenLogProbability] = []
    private(set) var sampler: Sampler
    private var decoder: StreamingDecoder
    private var stops: StopMatcher
    private var generatedCount = 0

    init(request: UInt64, choice: Int, parameters: GenerationRequest, turn: UInt64, tokenizer: Tokenizer) {
        (self.request, self.choice, self.parameters, self.turn) = (request, choice, parameters, turn)
        tokens = parameters.prompt
        sampler = Sampler(parameters.sampling, choice: choice, prompt: parameters.prompt)
        decoder = StreamingDecoder(tokenizer)
        stops = StopMatcher(parameters.stop)
    }

    var pending: Int { tokens.count - computed }
    /// Whether all but its newest token is in the cache: it brings a token with every step.
    var isDecoding: Bool { pending == 1 && generatedCount > 0 }
    /// Tokens still to be generated.
    var remaining: Int { parameters.maxTokens - generatedCount }
    var wantsPromptLogProbabilities: Bool { parameters.promptLogProbabilities && choice == 0 && generatedCount == 0 }

    /// Whether it comes before another in turn.
    func precedes(_ other: Self) -> Bool {
        (turn, request, choice) < (other.turn, other.request, other.choice)
    }

    /// Forgets where its keys and values were: all of them have to be computed again. What it has generated stays.
    mutating func lose() {
        (pages, nodes, computed, drafted) = ([], [], 0, 0)
        if generatedCount == 0 { promptLogProbabilities = [] }
    }

    func choose(_ logits: Tensor, allowed: Int) -> Int32 { sampler.sample(logits, allowed: allowed) }

    /// Takes a chosen token; the delta says whether the choice ends with it.
    mutating func accept(
        _ id: Int32, logProbability: TokenLogProbability?, endTokens: Set<Int32>
    ) -> GenerationDelta {
        tokens.append(id)
        sampler.advance(id)
        generatedCount += 1
        var delta = GenerationDelta(
            request: request, choice: choice, index: generatedCount - 1, token: id, text: "",
            logProbability: logProbability)
        if generatedCount == 1 { delta.promptLogProbabilities = promptLogProbabilities }
        if !parameters.ignoresEndOfText && endTokens.contains(id) {
            delta.text = flush()
            delta.finishReason = .stop
            return delta
        }
        let (text, stopped) = stops.append(decoder.append(id))
        delta.text = text
        if stopped {
            delta.finishReason = .stop
        } else if generatedCount >= parameters.maxTokens {
            delta.text += flush()
            delta.finishReason = .length
        }
        return delta
    }

    /// What decoder and stop strings still hold. A stop string that the last bytes complete cuts there too.
    private mutating func flush() -> String {
        let (text, stopped) = stops.append(decoder.finish())
        return stopped ? text : text + stops.finish()
    }
}
