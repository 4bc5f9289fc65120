package import Messages
package import RPC
import TextModels

/// Serves `nephele.v1.TextModel` for one model.
package struct TextModelService: RPCService {
    private let name: String
    private let tokenizerHash: String
    private let engine: TextEngine
    private let adapters: AdapterLibrary?

    /// - Parameters:
    ///   - name: the model's name, as requests give it.
    ///   - adapters: nil where the model is served without any.
    package init(name: String, tokenizerHash: String, engine: TextEngine, adapters: AdapterLibrary? = nil) {
        (self.name, self.tokenizerHash, self.engine, self.adapters) = (name, tokenizerHash, engine, adapters)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: sequences that run together.
    package func description(numericsID: String, capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "text-model")
        description.models = Self.models(model(numericsID: numericsID), adapters)
        (description.layers, description.shardCount) = (engine.layers, engine.shardCount)
        description.capacity = capacity
        return description
    }

    /// Lets the server say which adapters there are, as they come and go.
    package func keepDescribed(by server: RPCServer, numericsID: String) {
        let model = model(numericsID: numericsID)
        adapters?.onChange { [weak server, weak adapters] in
            // The adapters are looked up when it is the change's turn, so that the last one tells the latest.
            server?.update { $0.models = Self.models(model, adapters) }
        }
    }

    private func model(numericsID: String) -> ModelDescription {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "text"
        model.contextLength = engine.shape.context
        model.metadata = SamplingDefaults(engine.samplingDefaults).encoded()
        return model
    }

    /// The model, and each adapter as a model that has it for its parent.
    private static func models(_ model: ModelDescription, _ adapters: AdapterLibrary?) -> [ModelDescription] {
        let contents = adapters?.contents ?? [:]
        return [model]
            + contents.sorted { $0.key < $1.key }.map { name, contentID in
                var adapted = model
                adapted.name = name
                adapted.parent = model.name
                adapted.numericsID = NumericsID.adapted(model.numericsID, by: contentID)
                adapted.revision = String(contentID.prefix(12))
                return adapted
            }
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(TextModelMethods.generate) { request, writer, context in
            let request = try validated(request.message)
            try await engine.generate(request, to: writer, context)
        }
        guard let adapters else { return }
        router.unary(TextModelMethods.loadAdapter) { request, context in
            ServerReply(try await adapters.load(request.message, context))
        }
        router.unary(TextModelMethods.unloadAdapter) { request, _ in
            try adapters.unload(request.message)
            return ServerReply(UnloadAdapterReply())
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
        let adapter = try adapter(message.adapter)
        do throws(TextModelError) {
            let sampling = try SamplingParameters(
                temperature: message.temperature, topK: Int(message.topK), topP: message.topP, minP: message.minP,
                repetitionPenalty: message.repetitionPenalty, presencePenalty: message.presencePenalty,
                frequencyPenalty: message.frequencyPenalty,
                logitBias: Dictionary(message.logitBias.map { ($0.id, $0.bias) }) { $1 }, seed: message.seed)
            let resume = message.resume.map {
                ResumedChoice(
                    choice: Int($0.choice), ids: $0.ids, textBytes: $0.textBytes, logProbabilityCount: Int($0.logprobs),
                    isFinished: $0.isFinished)
            }
            return try GenerationRequest(
                prompt: message.prompt, maxTokens: Int(message.maxTokens), n: Int(message.n), sampling: sampling,
                stop: message.stop, logProbabilities: message.logprobs.map { Int($0) },
                promptLogProbabilities: message.promptLogprobs, ignoresEndOfText: message.ignoresEndOfText,
                adapter: adapter, resume: resume, runsAlone: message.crashesWithoutProgress > 0, shape: engine.shape)
        } catch {
            throw RPCError(textModel: error)
        }
    }

    /// - Parameter name: empty for the model alone.
    private func adapter(_ name: String) throws -> Adapter? {
        guard !name.isEmpty else { return nil }
        guard let adapters else {
            throw RPCError(
                .notFound, "this instance has no adapters", reason: "adapter_not_found", field: "adapter")
        }
        return try adapters.adapter(name)
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
        case .resumeMismatch: self.init(.failedPrecondition, error.message, reason: "resume_mismatch", field: field)
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
