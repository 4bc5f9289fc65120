import Tokenizers

/// One choice of one request on its way through the engine.
struct GeneratingSequence: Sendable {
    let request: UInt64
    let choice: Int
    let parameters: GenerationRequest
    let pages: [Int32]
    /// Prompt and answer.
    private(set) var tokens: [Int32]
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    var promptLogProbabilities: [TokenLogProbability] = []
    private var sampler: Sampler
    private var decoder: StreamingDecoder
    private var stops: StopMatcher
    private var generatedCount = 0

    init(request: UInt64, choice: Int, parameters: GenerationRequest, pages: [Int32], tokenizer: Tokenizer) {
        (self.request, self.choice, self.parameters, self.pages) = (request, choice, parameters, pages)
        tokens = parameters.prompt
        sampler = Sampler(parameters.sampling, choice: choice, prompt: parameters.prompt)
        decoder = StreamingDecoder(tokenizer)
        stops = StopMatcher(parameters.stop)
    }

    var pending: Int { tokens.count - computed }
    var isDecoding: Bool { computed >= parameters.prompt.count }
    var wantsPromptLogProbabilities: Bool { parameters.promptLogProbabilities && choice == 0 && !isDecoding }

    func choose(_ logits: [Float], allowed: Int) -> Int32 { sampler.sample(logits, allowed: allowed) }

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
