package import Messages
package import RPC
import TextModels

/// Serves `nephele.v1.TextModel` for one model.
package struct TextModelService: RPCService {
    private let name: String
    private let revisions: TextRevisions

    /// - Parameter name: the model's name, as requests give it.
    package init(name: String, revisions: TextRevisions) {
        (self.name, self.revisions) = (name, revisions)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: sequences that run together.
    package func description(capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "text-model")
        description.models = Self.models(name, revisions)
        let engine = revisions.current.engine
        (description.layers, description.shardCount) = (engine.layers, engine.shardCount)
        description.capacity = capacity
        return description
    }

    /// Lets the server say which revisions and adapters there are, as they come and go.
    package func keepDescribed(by server: RPCServer) {
        revisions.onChange { [weak server, weak revisions, name] in
            // They are looked up when it is the change's turn, so that the last one tells the latest.
            server?.update { description in
                if let revisions { description.models = Self.models(name, revisions) }
            }
        }
    }

    /// Each revision, and each of its adapters as a model that has it for its parent.
    private static func models(_ name: String, _ revisions: TextRevisions) -> [ModelDescription] {
        revisions.all.enumerated().flatMap { place, revision -> [ModelDescription] in
            var model = ModelDescription(name: name)
            model.numericsID = revision.numericsID
            model.revision = revision.revision
            model.modality = "text"
            model.contextLength = revision.engine.shape.context
            model.metadata = SamplingDefaults(revision.engine.samplingDefaults).encoded()
            model.isRetiring = place > 0
            let adapters = revision.adapters?.contents.sorted { $0.key < $1.key } ?? []
            return [model]
                + adapters.map { name, contentID in
                    var adapted = model
                    adapted.name = name
                    adapted.parent = model.name
                    adapted.numericsID = NumericsID.adapted(model.numericsID, by: contentID)
                    adapted.revision = String(contentID.prefix(12))
                    return adapted
                }
        }
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(TextModelMethods.generate) { request, writer, context in
            let revision = revisions.revision(for: context.numericsID)
            let request = try validated(request.message, revision)
            try await revision.engine.generate(request, to: writer, context)
        }
        router.unary(TextModelMethods.reload) { request, _ in
            try check(model: request.message.model)
            return ServerReply(try await revisions.reload())
        }
        guard revisions.current.adapters != nil else { return }
        router.unary(TextModelMethods.loadAdapter) { request, context in
            guard let adapters = revisions.current.adapters else { throw RPCError.noAdapters }
            return ServerReply(try await adapters.load(request.message, context))
        }
        router.unary(TextModelMethods.unloadAdapter) { request, _ in
            guard let adapters = revisions.current.adapters else { throw RPCError.noAdapters }
            try adapters.unload(request.message)
            return ServerReply(UnloadAdapterReply())
        }
    }

    private func check(model: String) throws {
        guard model == name else {
            throw RPCError(
                .notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
        }
    }

    private func validated(_ message: GenerateRequest, _ revision: TextRevision) throws -> GenerationRequest {
        try check(model: message.model)
        guard message.tokenizerHash.isEmpty || message.tokenizerHash == revision.tokenizerHash else {
            throw RPCError(
                .failedPrecondition, "the prompt was encoded by another tokenizer than this model's",
                reason: "tokenizer_mismatch", notStarted: true)
        }
        let adapter = try adapter(message.adapter, revision)
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
                adapter: adapter, resume: resume, runsAlone: message.crashesWithoutProgress > 0,
                shape: revision.engine.shape)
        } catch {
            throw RPCError(textModel: error)
        }
    }

    /// - Parameter name: empty for the model alone.
    private func adapter(_ name: String, _ revision: TextRevision) throws -> Adapter? {
        guard !name.isEmpty else { return nil }
        guard let adapters = revision.adapters else { throw RPCError.noAdapters }
        return try adapters.adapter(name)
    }
}

extension RPCError {
    fileprivate static let noAdapters = RPCError(
        .notFound, "this instance has no adapters", reason: "adapter_not_found", field: "adapter")
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
