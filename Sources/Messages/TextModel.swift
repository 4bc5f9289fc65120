internal import CMessages

/// The text-model service.
package enum TextModelMethods {
    package static let service = ServiceSchema(nephele__v1__text_model__descriptor)
    package static let generate = Method<GenerateRequest, GenerateDelta>(service, "Generate", .serverStreaming)
    package static let embed = Method<EmbedRequest, EmbedReply>(service, "Embed", .unary)
    package static let loadAdapter = Method<LoadAdapterRequest, LoadAdapterReply>(service, "LoadAdapter", .unary)
    package static let unloadAdapter = Method<UnloadAdapterRequest, UnloadAdapterReply>(
        service, "UnloadAdapter", .unary)
}

/// What is to be generated. Ranges are checked by the text-model, which alone knows its model.
package struct GenerateRequest: BusMessage {
    package var model: String
    package var prompt: [Int32]
    /// Empty when the ids do not come from a tokenizer.
    package var tokenizerHash = ""
    package var maxTokens: UInt32
    package var n: UInt32 = 1
    package var seed: UInt64
    package var temperature: Float = 1
    package var topK: UInt32 = 0
    package var topP: Float = 1
    package var minP: Float = 0
    package var repetitionPenalty: Float = 1
    package var presencePenalty: Float = 0
    package var frequencyPenalty: Float = 0
    package var logitBias: [LogitBias] = []
    package var stop: [String] = []
    package var logprobs: UInt32?
    package var promptLogprobs = false
    package var ignoresEndOfText = false
    /// Empty for the model alone.
    package var adapter = ""
    /// Where choices stand that a lost instance has begun; one that is not named begins anew.
    package var resume: [ChoiceResume] = []
    /// Instances lost under this call since its last token. From one on it runs alone until a token comes.
    package var crashesWithoutProgress: UInt32 = 0
    /// The watermark that the choice of tokens carries; nil for none.
    package var greenList: GreenListParameters?
    /// How long a token may wait for others to travel with, in milliseconds.
    package var patience: UInt32 = 0

    package init(model: String, prompt: [Int32], maxTokens: UInt32, seed: UInt64) {
        (self.model, self.prompt, self.maxTokens, self.seed) = (model, prompt, maxTokens, seed)
    }

    package static let codec = MessageCodec(Self.self)
}

extension GenerateRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__GenerateRequest>) {
        nephele__v1__generate_request__init(c)
    }

    init(reading c: Nephele__V1__GenerateRequest) throws {
        model = try c.model.text("model")
        prompt = readAll(c.prompt, c.n_prompt)
        tokenizerHash = try c.tokenizer_hash.text("tokenizer_hash")
        maxTokens = c.max_tokens
        n = c.has_n != 0 ? c.n : 1
        seed = c.seed
        temperature = c.has_temperature != 0 ? c.temperature : 1
        topK = c.top_k
        topP = c.has_top_p != 0 ? c.top_p : 1
        minP = c.min_p
        repetitionPenalty = c.has_repetition_penalty != 0 ? c.repetition_penalty : 1
        presencePenalty = c.presence_penalty
        frequencyPenalty = c.frequency_penalty
        logitBias = try readAll(LogitBias.self, c.logit_bias, c.n_logit_bias)
        stop = try UnsafeBufferPointer(start: c.stop, count: c.stop == nil ? 0 : c.n_stop).map { try $0.text("stop") }
        logprobs = c.has_logprobs != 0 ? c.logprobs : nil
        promptLogprobs = c.prompt_logprobs != 0
        ignoresEndOfText = c.ignore_end_of_text != 0
        adapter = try c.adapter.text("adapter")
        resume = try readAll(ChoiceResume.self, c.resume, c.n_resume)
        crashesWithoutProgress = c.crashes_without_progress
        greenList = c.green_list.map { GreenListParameters(reading: $0.pointee) }
        patience = c.patience_ms
    }

    func write(to c: inout Nephele__V1__GenerateRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.n_prompt = prompt.count
        c.prompt = arena.numbers(prompt)
        c.has_tokenizer_hash = 1
        c.tokenizer_hash = arena.text(tokenizerHash)
        (c.has_max_tokens, c.max_tokens) = (1, maxTokens)
        (c.has_n, c.n) = (1, n)
        (c.has_seed, c.seed) = (1, seed)
        (c.has_temperature, c.temperature) = (1, temperature)
        (c.has_top_k, c.top_k) = (1, topK)
        (c.has_top_p, c.top_p) = (1, topP)
        (c.has_min_p, c.min_p) = (1, minP)
        (c.has_repetition_penalty, c.repetition_penalty) = (1, repetitionPenalty)
        (c.has_presence_penalty, c.presence_penalty) = (1, presencePenalty)
        (c.has_frequency_penalty, c.frequency_penalty) = (1, frequencyPenalty)
        c.n_logit_bias = logitBias.count
        c.logit_bias = arena.messages(logitBias)
        c.n_stop = stop.count
        c.stop = arena.numbers(stop.map { arena.text($0) })
        if let logprobs { (c.has_logprobs, c.logprobs) = (1, logprobs) }
        (c.has_prompt_logprobs, c.prompt_logprobs) = (1, promptLogprobs ? 1 : 0)
        (c.has_ignore_end_of_text, c.ignore_end_of_text) = (1, ignoresEndOfText ? 1 : 0)
        if !adapter.isEmpty { (c.has_adapter, c.adapter) = (1, arena.text(adapter)) }
        c.n_resume = resume.count
        c.resume = arena.messages(resume)
        if crashesWithoutProgress > 0 {
            (c.has_crashes_without_progress, c.crashes_without_progress) = (1, crashesWithoutProgress)
        }
        if let greenList { c.green_list = arena.message(greenList) }
        if patience > 0 { (c.has_patience_ms, c.patience_ms) = (1, patience) }
    }
}

/// A watermark's parameters, unchecked. The key is secret: it is told to nobody but the services.
package struct GreenListParameters: Sendable, Equatable {
    package var key: [UInt8]
    /// Of green tokens, in 65,536ths.
    package var share: UInt32
    package var delta: Float
    package var contextWidth: UInt32

    package init(key: [UInt8], share: UInt32, delta: Float, contextWidth: UInt32) {
        (self.key, self.share, self.delta, self.contextWidth) = (key, share, delta, contextWidth)
    }
}

extension GreenListParameters: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__GreenList>) { nephele__v1__green_list__init(c) }

    init(reading c: Nephele__V1__GreenList) {
        (key, share, delta, contextWidth) = (c.key.array, c.share, c.delta, c.context_width)
    }

    func write(to c: inout Nephele__V1__GreenList, in arena: inout Arena) {
        (c.has_key, c.key) = (1, arena.bytes(key))
        (c.has_share, c.share) = (1, share)
        (c.has_delta, c.delta) = (1, delta)
        (c.has_context_width, c.context_width) = (1, contextWidth)
    }
}

/// What the caller has of a choice: the rest of it is asked for.
package struct ChoiceResume: Sendable, Equatable {
    package var choice: UInt32
    /// The answer so far; left out once it has ended.
    package var ids: [Int32]
    /// Bytes of its text.
    package var textBytes: Int
    /// How many log-probabilities.
    package var logprobs: UInt32
    /// Its end too: nothing more is to come.
    package var isFinished: Bool

    package init(choice: UInt32, ids: [Int32] = [], textBytes: Int = 0, logprobs: UInt32 = 0, isFinished: Bool = false)
    {
        (self.choice, self.ids, self.textBytes) = (choice, ids, textBytes)
        (self.logprobs, self.isFinished) = (logprobs, isFinished)
    }
}

extension ChoiceResume: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ChoiceResume>) { nephele__v1__choice_resume__init(c) }

    init(reading c: Nephele__V1__ChoiceResume) throws {
        (choice, logprobs, isFinished) = (c.choice, c.logprobs, c.finished != 0)
        ids = readAll(c.ids, c.n_ids)
        textBytes = try size(c.text_bytes, "text_bytes")
    }

    func write(to c: inout Nephele__V1__ChoiceResume, in arena: inout Arena) {
        (c.has_choice, c.choice) = (1, choice)
        c.n_ids = ids.count
        c.ids = arena.numbers(ids)
        (c.has_text_bytes, c.text_bytes) = (1, textBytes.wire)
        (c.has_logprobs, c.logprobs) = (1, logprobs)
        (c.has_finished, c.finished) = (1, isFinished ? 1 : 0)
    }
}

/// Added to one token's logit.
package struct LogitBias: Sendable, Equatable {
    package var id: Int32
    package var bias: Float

    package init(id: Int32, bias: Float) { (self.id, self.bias) = (id, bias) }
}

extension LogitBias: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LogitBias>) { nephele__v1__logit_bias__init(c) }

    init(reading c: Nephele__V1__LogitBias) throws { (id, bias) = (c.id, c.bias) }

    func write(to c: inout Nephele__V1__LogitBias, in arena: inout Arena) {
        (c.has_id, c.id) = (1, id)
        (c.has_bias, c.bias) = (1, bias)
    }
}

/// A token's log-probability beside its likeliest alternatives.
package struct TokenLogprob: Sendable, Equatable {
    package struct Alternative: Sendable, Equatable {
        package var id: Int32
        package var logprob: Float
        package var bytes: [UInt8]

        package init(id: Int32, logprob: Float, bytes: [UInt8]) {
            (self.id, self.logprob, self.bytes) = (id, logprob, bytes)
        }
    }

    package var id: Int32
    package var logprob: Float
    /// What the token adds to a text; a part of a character, perhaps.
    package var bytes: [UInt8]
    /// Likeliest first.
    package var alternatives: [Alternative]

    package init(id: Int32, logprob: Float, bytes: [UInt8], alternatives: [Alternative]) {
        (self.id, self.logprob, self.bytes, self.alternatives) = (id, logprob, bytes, alternatives)
    }
}

extension TokenLogprob: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__TokenLogprob>) { nephele__v1__token_logprob__init(c) }

    init(reading c: Nephele__V1__TokenLogprob) throws {
        (id, logprob, bytes) = (c.id, c.logprob, c.bytes.array)
        let ids = readAll(c.alternative_ids, c.n_alternative_ids)
        let logprobs = readAll(c.alternative_logprobs, c.n_alternative_logprobs)
        let texts = readAll(c.alternative_bytes, c.n_alternative_bytes)
        guard ids.count == logprobs.count, ids.count == texts.count else {
            throw MessageError(
                message: "\(ids.count) alternatives with \(logprobs.count) log-probabilities and \(texts.count) texts")
        }
        alternatives = ids.indices.map { Alternative(id: ids[$0], logprob: logprobs[$0], bytes: texts[$0].array) }
    }

    func write(to c: inout Nephele__V1__TokenLogprob, in arena: inout Arena) {
        (c.has_id, c.id) = (1, id)
        (c.has_logprob, c.logprob) = (1, logprob)
        (c.has_bytes, c.bytes) = (1, arena.bytes(bytes))
        c.n_alternative_ids = alternatives.count
        c.alternative_ids = arena.numbers(alternatives.map { $0.id })
        c.n_alternative_logprobs = alternatives.count
        c.alternative_logprobs = arena.numbers(alternatives.map { $0.logprob })
        c.n_alternative_bytes = alternatives.count
        c.alternative_bytes = arena.numbers(alternatives.map { arena.bytes($0.bytes) })
    }
}

/// How a model wants to be sampled where a request does not say.
package struct SamplingDefaults: BusMessage {
    package var temperature: Float?
    package var topK: UInt32?
    package var topP: Float?
    package var minP: Float?
    package var repetitionPenalty: Float?

    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension SamplingDefaults: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__SamplingDefaults>) {
        nephele__v1__sampling_defaults__init(c)
    }

    init(reading c: Nephele__V1__SamplingDefaults) throws {
        temperature = c.has_temperature != 0 ? c.temperature : nil
        topK = c.has_top_k != 0 ? c.top_k : nil
        topP = c.has_top_p != 0 ? c.top_p : nil
        minP = c.has_min_p != 0 ? c.min_p : nil
        repetitionPenalty = c.has_repetition_penalty != 0 ? c.repetition_penalty : nil
    }

    func write(to c: inout Nephele__V1__SamplingDefaults, in arena: inout Arena) {
        if let temperature { (c.has_temperature, c.temperature) = (1, temperature) }
        if let topK { (c.has_top_k, c.top_k) = (1, topK) }
        if let topP { (c.has_top_p, c.top_p) = (1, topP) }
        if let minP { (c.has_min_p, c.min_p) = (1, minP) }
        if let repetitionPenalty { (c.has_repetition_penalty, c.repetition_penalty) = (1, repetitionPenalty) }
    }
}

/// What one step brought for one choice.
package struct GenerateDelta: BusMessage {
    package var choice: UInt32
    /// The first token's place in the answer.
    package var index: UInt32?
    /// One, or none; several only for a call that has patience.
    package var tokens: [Int32]
    package var text: String
    package var logprob: TokenLogprob?
    package var promptLogprobs: [TokenLogprob]
    /// `stop` or `length`; empty while the choice goes on.
    package var finishReason: String
    /// Bytes of the choice's text before this delta's.
    package var textOffset: Int
    /// A call that runs alone is about to be computed: a loss from now on may be its fault.
    package var isStart = false

    package init(
        choice: UInt32, index: UInt32? = nil, tokens: [Int32] = [], text: String, textOffset: Int = 0,
        logprob: TokenLogprob? = nil, promptLogprobs: [TokenLogprob] = [], finishReason: String = ""
    ) {
        (self.choice, self.index, self.tokens, self.text) = (choice, index, tokens, text)
        (self.textOffset, self.logprob) = (textOffset, logprob)
        (self.promptLogprobs, self.finishReason) = (promptLogprobs, finishReason)
    }

    package static let codec = MessageCodec(Self.self)
}

extension GenerateDelta: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__GenerateDelta>) {
        nephele__v1__generate_delta__init(c)
    }

    init(reading c: Nephele__V1__GenerateDelta) throws {
        choice = c.choice
        index = c.has_index != 0 ? c.index : nil
        tokens = readAll(c.tokens, c.n_tokens)
        text = try c.text.text("text")
        logprob = try c.logprob.map { try TokenLogprob(reading: $0.pointee) }
        promptLogprobs = try readAll(TokenLogprob.self, c.prompt_logprobs, c.n_prompt_logprobs)
        finishReason = try c.finish_reason.text("finish_reason")
        textOffset = try size(c.text_offset, "text_offset")
        isStart = c.started != 0
    }

    func write(to c: inout Nephele__V1__GenerateDelta, in arena: inout Arena) {
        (c.has_choice, c.choice) = (1, choice)
        if let index { (c.has_index, c.index) = (1, index) }
        c.n_tokens = tokens.count
        c.tokens = arena.numbers(tokens)
        c.has_text = 1
        c.text = arena.text(text)
        if let logprob { c.logprob = arena.message(logprob) }
        c.n_prompt_logprobs = promptLogprobs.count
        c.prompt_logprobs = arena.messages(promptLogprobs)
        c.has_finish_reason = 1
        c.finish_reason = arena.text(finishReason)
        (c.has_text_offset, c.text_offset) = (1, textOffset.wire)
        if isStart { (c.has_started, c.started) = (1, 1) }
    }
}
