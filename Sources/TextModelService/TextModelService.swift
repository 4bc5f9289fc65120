package import Messages
package import RPC
import TextModels

/// Serves `nephele.v1.TextModel` for one model.
package struct TextModelService: RPCService {
    private let name: String
    private let tokenizerHash: String
    private let engine: TextEngine

    /// - Parameter name: the model's name, as requests give it.
    package init(name: String, tokenizerHash: String, engine: TextEngine) {
        (self.name, self.tokenizerHash, self.engine) = (name, tokenizerHash, engine)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: sequences that run together.
    package func description(numericsID: String, capacity: Int) -> ServiceDescription {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "text"
        model.contextLength = engine.shape.context
        model.metadata = SamplingDefaults(engine.samplingDefaults).encoded()
        var description = ServiceDescription(service: "text-model")
        description.models = [model]
        description.layers = 0..<engine.shape.layers
        description.capacity = capacity
        return description
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(TextModelMethods.generate) { request, writer, context in
            let request = try validated(request.message)
            try await engine.generate(request, to: writer, context)
        }
    }

    private func validated(_ message: GenerateRequest) throws -> GenerationRequest {
        guard message.model == name else {
            throw RPCError(
                .notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
        }
        guard message.tokenizerHash.isEmpty || message.tokenizerHash == tokenizerHash else {
            throw RPCError(
                .failedPrecondition, "the prompt was encoded by another tokenizer than this model's",
                reason: "tokenizer_mismatch", notStarted: true)
        }
        do throws(TextModelError) {
            let sampling = try SamplingParameters(
                temperature: message.temperature, topK: Int(message.topK), topP: message.topP, minP: message.minP,
                repetitionPenalty: message.repetitionPenalty, presencePenalty: message.presencePenalty,
                frequencyPenalty: message.frequencyPenalty,
                logitBias: Dictionary(message.logitBias.map { ($0.id, $0.bias) }) { $1 }, seed: message.seed)
            return try GenerationRequest(
                prompt: message.prompt, maxTokens: Int(message.maxTokens), n: Int(message.n), sampling: sampling,
                stop: message.stop, logProbabilities: message.logprobs.map { Int($0) },
                promptLogProbabilities: message.promptLogprobs, ignoresEndOfText: message.ignoresEndOfText,
                shape: engine.shape)
        } catch {
            throw RPCError(textModel: error)
        }
    }
}

extension SamplingDefaults {
    init(_ defaults: LoadedModel.SamplingDefaults) {
        self.init()
        (temperature, topP, minP) = (defaults.temperature, defaults.topP, defaults.minP)
        topK = defaults.topK.flatMap { UInt32(exactly: $0) }
        repetitionPenalty = defaults.repetitionPenalty
    }
}

extension RPCError {
    /// A text model's error as it crosses the wire.
    init(textModel error: TextModelError) {
        let field = error.field ?? ""
        switch error.code {
        case .invalidRequest: self.init(.invalidArgument, error.message, reason: "invalid_request", field: field)
        case .contextLengthExceeded:
            self.init(.outOfRange, error.message, reason: "context_length_exceeded", field: field)
        case .resourceExhausted:
            self.init(
                .resourceExhausted, error.message, reason: "overloaded", retryAfter: .seconds(1), notStarted: true)
        case .unsupported: self.init(.unimplemented, error.message)
        case .invalidCheckpoint: self.init(.internalError, error.message)
        }
    }
}
