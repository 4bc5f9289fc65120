import Grammars
import Layers
package import Messages
package import ModelServing
package import RPC
import TextGeneration
import TextModels
import Watermarking

/// Serves `nephele.v1.TextModel` for one model, in one revision after the other.
package struct TextModelService: RPCService {
    private let name: String
    private let keeper: RevisionKeeper<TextRevision>

    /// - Parameters:
    ///   - linger: for which a replaced revision takes calls of clients that have not heard of it.
    ///   - load: brings the next revision; nil where the model is not reloaded.
    package init(
        _ revision: TextRevision, linger: Duration = .seconds(5), load: RevisionKeeper<TextRevision>.Loader? = nil
    ) {
        name = revision.name
        keeper = RevisionKeeper(revision.name, revision, linger: linger, load: load)
    }

    /// What the instance says of itself.
    ///
    /// - Parameter capacity: sequences that run together.
    package func description(capacity: Int) -> ServiceDescription {
        let engine = keeper.current.engine
        var description = ServiceDescription(service: "text-model")
        description.models = keeper.models
        (description.layers, description.shardCount) = (engine.layers, engine.shardCount)
        description.capacity = capacity
        return description
    }

    /// Lets the server say which revisions and adapters there are, as they come and go.
    package func keepDescribed(by server: RPCServer) {
        let tell: @Sendable () -> Void = { [weak server, weak keeper] in
            guard let server, let keeper else { return }
            // The models are looked up when it is the change's turn, so that the last one tells the latest.
            server.update { description in
                let engine = keeper.current.engine
                description.models = keeper.models
                (description.layers, description.shardCount) = (engine.layers, engine.shardCount)
            }
        }
        keeper.current.adapters?.onChange(tell)
        keeper.onChange { [weak keeper] in
            keeper?.current.adapters?.onChange(tell)
            tell()
        }
    }

    package func register(with router: inout RPCRouter) {
        router.serverStreaming(Wire.TextModel.generate) { request, writer, context in
            try await use(context) { revision in
                let batchingDelay = min(request.message.batchingDelay, .seconds(1))
                var request = try revision.validated(request.message)
                // One that was lost elsewhere has waited already.
                request.isPatient = batchingDelay > .zero && request.resume.isEmpty && !request.runsAlone
                try await revision.engine.generate(request, batchingDelay: batchingDelay, to: writer, context)
            }
        }
        router.unary(Wire.TextModel.embed) { request, context in
            try await use(context) { try await $0.embed(request.message, context) }
        }
        router.unary(Wire.TextModel.score) { request, context in
            try await use(context) { ServerReply(try await $0.score(request.message, context)) }
        }
        router.unary(Wire.Revisions.reload) { request, _ in
            guard request.message.model == name else {
                throw RPCError(
                    .notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
            }
            return ServerReply(try await keeper.reload())
        }
        guard keeper.current.adapters != nil else { return }
        router.unary(Wire.TextModel.loadAdapter) { request, context in
            // Adapters are held against the model's weights.
            let adapters = try adapters()
            return try await adapters.model.staying {
                try await use(context) { try await $0.engine.wake(context) }
                return ServerReply(try await adapters.load(request.message, context))
            }
        }
        router.unary(Wire.TextModel.unloadAdapter) { request, _ in
            try adapters().unload(request.message)
            return ServerReply(Wire.UnloadAdapterReply())
        }
    }

    /// Runs a call on its revision. One whose files have changed while it was unloaded makes place for what is there now.
    private func use<Result>(
        _ context: ServerContext, _ body: (TextRevision) async throws -> Result
    ) async throws -> Result {
        do { return try await keeper.use(context, body) } catch let error as RPCError
            where error.reason == RPCError.staleReason
        {
            // It fails where another call has begun it already.
            Task { [keeper] in _ = try? await keeper.reload() }
            throw error
        }
    }

    private func adapters() throws -> AdapterLibrary {
        guard let adapters = keeper.current.adapters else { throw RPCError.noAdapters(field: "name") }
        return adapters
    }
}

extension TextRevision {
    /// - Throws: `RPCError` that names the field at fault.
    fileprivate func validated(_ message: Wire.GenerateRequest) throws -> GenerationRequest {
        try check(model: message.model, tokenizerHash: message.tokenizerHash)
        let adapter = try adapter(message.adapter)
        do throws(TextModelError) {
            let sampling = try SamplingParameters(
                temperature: message.temperature, topK: Int(message.topK), topP: message.topP, minP: message.minP,
                repetitionPenalty: message.repetitionPenalty, presencePenalty: message.presencePenalty,
                frequencyPenalty: message.frequencyPenalty,
                logitBias: Dictionary(message.logitBias.map { ($0.id, $0.bias) }) { $1 },
                greenList: try message.greenList.map(GreenList.init), seed: message.seed)
            let resume = message.resume.map {
                ResumedChoice(
                    choice: Int($0.choice), ids: $0.ids, textBytes: $0.textBytes, logProbabilityCount: Int($0.logprobs),
                    isFinished: $0.isFinished)
            }
            guard message.shownTokens.count <= GenerationRequest.shownTokensLimit else {
                throw TextModelError(
                    .invalidRequest,
                    "\(message.shownTokens.count) control tokens are to be shown; at most "
                        + "\(GenerationRequest.shownTokensLimit) can be", field: "shown_tokens")
            }
            var request = try GenerationRequest(
                prompt: message.prompt, maxTokens: Int(message.maxTokens), n: Int(message.n), sampling: sampling,
                stop: message.stop, logProbabilities: message.logprobs.map { Int($0) },
                promptLogProbabilities: message.promptLogprobs, ignoresEndOfText: message.ignoresEndOfText,
                grammar: try grammar(message.grammar),
                adapter: adapter, resume: resume, runsAlone: message.crashesWithoutProgress > 0, shape: engine.shape)
            request.shownTokens = message.shownTokens
            if let limit = message.thoughtLimit {
                request.thoughtLimit = try ThoughtLimit(
                    opening: limit.opening, closing: limit.closing, ending: limit.ending, tokens: Int(limit.tokens),
                    isOpen: limit.isOpen)
            }
            return request
        } catch {
            throw RPCError(textModel: error)
        }
    }

    private func grammar(_ message: Wire.Grammar?) throws(TextModelError) -> CompiledGrammar? {
        guard let message, let grammars = engine.grammars else { return nil }
        return try grammars.grammar(
            AnswerDemand(
                schema: message.jsonSchema, field: message.field, toolForm: message.toolForm, tools: message.tools,
                requiresCall: message.requiresCall, isSingleCall: message.isSingleCall,
                reasoningForm: message.reasoningForm, isThinking: message.isThinking, language: message.language))
    }

    func check(model: String, tokenizerHash hash: String) throws {
        guard model == name else {
            throw RPCError(
                .notFound, "this instance serves \"\(name)\"", reason: "model_not_found", field: "model")
        }
        guard hash.isEmpty || hash == tokenizerHash else {
            throw RPCError(
                .failedPrecondition, "the prompt was encoded by another tokenizer than this model's",
                reason: "tokenizer_mismatch", notStarted: true)
        }
    }

    /// - Parameter name: empty for the model alone.
    func adapter(_ name: String) throws -> LowRankAdapter? {
        guard !name.isEmpty else { return nil }
        guard let adapters else { throw RPCError.noAdapters(field: "adapter") }
        return try adapters.adapter(name)
    }
}

extension GreenList {
    /// - Throws: `TextModelError.invalidRequest`; it does not tell the key.
    fileprivate init(_ message: Wire.GreenList) throws(TextModelError) {
        do throws(Invalid) {
            try self.init(
                key: message.key, share: UInt16(exactly: message.share) ?? 0, delta: message.delta,
                contextWidth: Int(message.contextWidth))
        } catch {
            throw TextModelError(.invalidRequest, error.description, field: "green_list")
        }
    }
}

extension RPCError {
    static func noAdapters(field: String) -> RPCError {
        RPCError(.notFound, "this instance has no adapters", reason: noAdapterReason, field: field)
    }

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
