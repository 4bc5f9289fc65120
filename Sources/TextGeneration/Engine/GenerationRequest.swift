package import Grammars
package import Layers
package import TextModels

/// A request that the engine can carry out: everything in it has been checked against the model.
package struct GenerationRequest: Sendable {
    package let prompt: [Int32]
    /// New tokens of each choice, at most.
    package let maxTokens: Int
    /// Choices.
    package let n: Int
    package let sampling: SamplingParameters
    package let stop: [String]
    /// Alternatives reported beside each token's log-probability; nil for no log-probabilities.
    package let logProbabilities: Int?
    /// Whether the prompt's own log-probabilities are reported too.
    package let promptLogProbabilities: Bool
    package let ignoresEndOfText: Bool
    /// What an answer must be; nil for anything. It ends where nothing may follow.
    package let grammar: CompiledGrammar?
    /// Changes the model for this request; what is computed with another one, or none, is not the same. Held as long as
    /// the request runs, whatever becomes of the name it was found by.
    package let adapter: LowRankAdapter?
    /// Where choices stand that an instance has begun and was lost with; one that is not named begins anew.
    package let resume: [ResumedChoice]
    /// Whether it is computed in passes of its own until a token comes: an instance was lost under it.
    package let runsAlone: Bool
    /// Whether answers have exactly `maxTokens`.
    package var hasKnownLength: Bool { ignoresEndOfText && stop.isEmpty }
    /// Whether its caller waits for the whole answer: it is served sooner when few such run at a time and the others have
    /// their turn after them.
    package var isPatient = false
    /// Texts of control tokens that the answer's text has; others have none.
    package var shownTokens: [String] = []
    package static let shownTokensLimit = 64
    /// How long the model may think; nil for as long as it likes.
    package var thoughtLimit: ThoughtLimit?
    /// Sets a tenant's prompts apart: requests with different salts share no pages.
    package var cacheSalt = ""
    /// What the prompt's pages depend on besides its tokens: requests with different roots never share any.
    package var cacheRoot: String { "\(adapter?.contentID ?? "")/\(cacheSalt)" }

    /// What is made of the prompt's states; nil where tokens are generated.
    package private(set) var reading: Reading?
    /// Which of two texts each token of the prompt belongs to; empty where all belong to the first.
    package private(set) var types: [Int32] = []
    /// Whether the prompt's states are what is wanted, and no token.
    package var isEmbedding: Bool { reading != nil }

    package enum Reading: Sendable { case embedding, score }

    package static let choiceLimit = 128
    package static let stopLimit = 16
    package static let alternativesLimit = 20

    /// - Throws: `TextModelError` that names the field: `.contextLengthExceeded` when prompt and `maxTokens` do not
    ///   fit, `.invalidRequest` for anything else out of range. What a resume says of the text is checked when the
    ///   engine replays it.
    package init(
        prompt: [Int32], maxTokens: Int, n: Int = 1, sampling: SamplingParameters, stop: [String] = [],
        logProbabilities: Int? = nil, promptLogProbabilities: Bool = false, ignoresEndOfText: Bool = false,
        grammar: CompiledGrammar? = nil, adapter: LowRankAdapter? = nil, resume: [ResumedChoice] = [],
        runsAlone: Bool = false, shape: DecoderShape
    ) throws(TextModelError) {
        guard !prompt.isEmpty else {
            throw TextModelError(.invalidRequest, "the prompt holds no token", field: "prompt")
        }
        if let id = prompt.first(where: { $0 < 0 || Int($0) >= shape.vocabulary }) {
            throw TextModelError(
                .invalidRequest, "token id \(id) lies outside the vocabulary of \(shape.vocabulary)", field: "prompt")
        }
        if let id = sampling.logitBias.keys.first(where: { $0 < 0 || Int($0) >= shape.vocabulary }) {
            throw TextModelError(
                .invalidRequest, "token id \(id) lies outside the vocabulary of \(shape.vocabulary)",
                field: "logit_bias")
        }
        guard maxTokens >= 0 else {
            throw TextModelError(
                .invalidRequest, "max_tokens is \(maxTokens); it must not be negative", field: "max_tokens")
        }
        let (needed, overflow) = prompt.count.addingReportingOverflow(maxTokens)
        guard !overflow, needed <= shape.context else {
            throw TextModelError(
                .contextLengthExceeded,
                "the prompt has \(prompt.count) tokens and \(maxTokens) more are asked for; the model's context is \(shape.context)",
                field: "prompt")
        }
        guard (1...Self.choiceLimit).contains(n) else {
            throw TextModelError(.invalidRequest, "n is \(n); it must lie in 1…\(Self.choiceLimit)", field: "n")
        }
        guard stop.count <= Self.stopLimit, stop.allSatisfy({ (1...1_024).contains($0.utf8.count) }) else {
            throw TextModelError(
                .invalidRequest, "stop takes at most \(Self.stopLimit) strings of 1 to 1024 bytes", field: "stop")
        }
        if let logProbabilities, !(0...Self.alternativesLimit).contains(logProbabilities) {
            throw TextModelError(
                .invalidRequest, "\(logProbabilities) alternatives asked for; at most \(Self.alternativesLimit)",
                field: "logprobs")
        }
        if grammar != nil, ignoresEndOfText {
            throw TextModelError(
                .invalidRequest,
                "ignore_eos keeps an answer from ending where its form ends it: take one of the two out",
                field: "ignore_eos")
        }
        try Self.check(
            resume, n: n, maxTokens: maxTokens, wantsLogProbabilities: logProbabilities != nil,
            vocabulary: shape.vocabulary)
        (self.prompt, self.maxTokens, self.n, self.sampling, self.stop) = (prompt, maxTokens, n, sampling, stop)
        self.logProbabilities = logProbabilities
        self.promptLogProbabilities = promptLogProbabilities
        self.ignoresEndOfText = ignoresEndOfText
        self.grammar = grammar
        self.adapter = adapter
        (self.resume, self.runsAlone) = (resume, runsAlone)
    }
}

extension GenerationRequest {
    /// The embedding of a text.
    ///
    /// - Throws: `TextModelError` that names the field `input`: `.contextLengthExceeded` for a text that is too long,
    ///   `.invalidRequest` for one without tokens or with an id outside the vocabulary.
    package static func embedding(
        of tokens: [Int32], adapter: LowRankAdapter? = nil, runsAlone: Bool = false, shape: DecoderShape
    ) throws(TextModelError) -> GenerationRequest {
        try reading(.embedding, of: tokens, adapter: adapter, runsAlone: runsAlone, shape: shape)
    }

    /// The score of a text, or of two in one.
    ///
    /// - Parameter types: as many as tokens, or none.
    /// - Throws: `TextModelError` as ``embedding(of:adapter:runsAlone:shape:)``, and `.invalidRequest` for other types.
    package static func score(
        of tokens: [Int32], types: [Int32] = [], tokenTypes: Int = 1, runsAlone: Bool = false, shape: DecoderShape
    ) throws(TextModelError) -> GenerationRequest {
        var request = try reading(.score, of: tokens, adapter: nil, runsAlone: runsAlone, shape: shape)
        guard types.isEmpty || types.count == tokens.count else {
            throw TextModelError(
                .invalidRequest, "\(types.count) types of \(tokens.count) tokens", field: "input")
        }
        if tokenTypes > 1, let type = types.first(where: { $0 < 0 || Int($0) >= tokenTypes }) {
            throw TextModelError(
                .invalidRequest, "a token's type is \(type); the model knows \(tokenTypes)", field: "input")
        }
        request.types = types
        return request
    }

    private static func reading(
        _ reading: Reading, of tokens: [Int32], adapter: LowRankAdapter?, runsAlone: Bool, shape: DecoderShape
    ) throws(TextModelError) -> GenerationRequest {
        do throws(TextModelError) {
            var request = try GenerationRequest(
                prompt: tokens, maxTokens: 0, sampling: SamplingParameters(seed: 0), adapter: adapter,
                runsAlone: runsAlone, shape: shape)
            request.reading = reading
            return request
        } catch {
            var error = error
            error.field = "input"
            throw error
        }
    }
}

/// Why a choice ended.
package enum FinishReason: String, Sendable {
    case stop, length
}

/// A token's log-probability beside its likeliest alternatives, of the model's own distribution.
package struct TokenLogProbability: Sendable, Hashable {
    package var id: Int32
    package var logProbability: Float
    package var alternatives: [Alternative]

    package struct Alternative: Sendable, Hashable {
        package var id: Int32
        package var logProbability: Float
    }
}

/// What a step brought for one choice of one request.
package struct GenerationDelta: Sendable {
    package var request: UInt64
    package var choice: Int
    /// The token's place in the answer; −1 for a delta that brings no token.
    package var index: Int
    package var token: Int32?
    /// Text that can be shown; it may lag behind the tokens.
    package var text: String
    /// Bytes of the choice's text before it.
    package var textOffset = 0
    package var logProbability: TokenLogProbability?
    /// Log-probabilities of the prompt's tokens from the second on, in the first delta of choice 0, where asked for.
    package var promptLogProbabilities: [TokenLogProbability] = []
    package var finishReason: FinishReason?
    /// The stop string that ended the choice; empty where none did.
    package var stopSequence = ""
    /// With the first token of choice 0: how many of the prompt's tokens were in the cache.
    package var cachedTokens = 0
    /// What was made of the prompt's states, where that was asked for: an embedding, not scaled, or one score.
    package var embedding: [Float] = []
    /// What `embedding` is still to become; nil for a delta without one.
    var reading: GenerationRequest.Reading?
    /// Says, and no more, that a request that runs alone comes next.
    package var isStart = false
}
