import Foundation
import Hummingbird
import Messages

/// What Ollama's clients ask: `/api/chat`, `/api/generate` and `/api/embed`. All of it is answered as OpenAI's routes answer.
struct OllamaRoutes: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let conversations: Conversations
    let prompts: PromptReader
    let embeddings: EmbeddingsRoute
    let fleet: Fleet

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/api/chat") { try await pipeline.run(.generation, $0, $1, chat) }
        router.post("/api/generate") { try await pipeline.run(.generation, $0, $1, generate) }
        router.post("/api/embed") { try await pipeline.run(.generation, $0, $1, embed) }
    }

    private func chat(_ data: Data, _ scope: RequestScope) async throws -> Response {
        var request = try JSONRequest.decode(OllamaChatRequest.self, from: data, refusing: .ollamaChat)
        request.common.model = fleet.ollamaName(request.common.model)
        if request.messages.isEmpty { return try loaded(request.common, isChat: true) }
        return try await answer(try request.conversation(), request.common, from: "messages", isChat: true, scope)
    }

    private func generate(_ data: Data, _ scope: RequestScope) async throws -> Response {
        var request = try JSONRequest.decode(OllamaGenerateRequest.self, from: data, refusing: .ollamaGenerate)
        request.common.model = fleet.ollamaName(request.common.model)
        if request.prompt.isEmpty { return try loaded(request.common, isChat: false) }
        if request.isRaw { return try await complete(request, scope) }
        return try await answer(try request.conversation(), request.common, from: "prompt", isChat: false, scope)
    }

    private func answer(
        _ conversation: ChatCompletionRequest, _ common: OllamaCommon, from field: String, isChat: Bool,
        _ scope: RequestScope
    ) async throws -> Response {
        try await models.answer(
            conversation.routing, preset: nil, tokens: conversation.parameters.tokens(default: 256),
            modalities: ["text"],
            scope
        ) { model, decision, scope in
            try common.options.check(for: model.name, contextLength: model.contextLength)
            let generation = try await conversations.begin(
                conversation, from: field, decision, logprobs: common.logprobs, with: model, idPrefix: "ollama-", scope)
            let answer = OllamaAnswer(generation, isChat: isChat, logprobs: common.logprobs != nil)
            return common.isStream ? answer.stream() : try await answer.whole()
        }
    }

    /// What follows a text that no template is put around.
    private func complete(_ request: OllamaGenerateRequest, _ scope: RequestScope) async throws -> Response {
        let parameters = request.common.parameters
        let routing = ChatCompletionRequest(
            messages: [.init(role: "user", content: request.prompt)], parameters: parameters
        ).routing
        return try await models.answer(
            routing, preset: nil, tokens: parameters.tokens(default: 256), modalities: ["text"], scope
        ) { model, decision, scope in
            try request.common.options.check(for: model.name, contextLength: model.contextLength)
            var parameters = parameters
            parameters.routeMaxTokens = decision.limits.maxTokens
            let passed = try await prompts.filtered(.text(request.prompt), from: "prompt", model: model, scope)
            scope.record.keep([.init(role: "user", content: request.prompt)])
            try fleet.admit(model, tokens: parameters.tokens(default: nil), until: scope.deadline)
            var suffix = request.suffix
            if let given = suffix { suffix = try await scope.filtered(given, .in, from: "suffix") }
            let tokens = try await prompts.encode(passed, suffix: suffix, model: model, until: scope.deadline)
            var call = try parameters.request(prompt: tokens, from: "prompt", for: model, defaultMaxTokens: nil)
            call.logprobs = request.common.logprobs
            let generation = try await Generation.begin([call], on: fleet, model: model, idPrefix: "ollama-", scope)
            let answer = OllamaAnswer(generation, isChat: false, logprobs: call.logprobs != nil)
            return request.common.isStream ? answer.stream() : try await answer.whole()
        }
    }

    /// Clients ask for nothing to have a model loaded, which it is.
    ///
    /// - Throws: `APIError` where it is to be unloaded, or there is no such model.
    private func loaded(_ common: OllamaCommon, isChat: Bool) throws -> Response {
        let model = try fleet.model(models.routing.current.aliases[common.model] ?? common.model, modalities: ["text"])
        guard !common.unloads else {
            throw APIError.invalidRequest(
                "'keep_alive' of 0 is not supported: the operator says which models are loaded.",
                parameter: "keep_alive")
        }
        return JSONResponse.make(
            WrittenJSON { json in
                json.object { json in
                    json.field("model", model.name)
                    json.field("created_at", Date().ISO8601Format())
                    if isChat {
                        json.field("message") { json in
                            json.object {
                                $0.field("role", "assistant")
                                $0.field("content", "")
                            }
                        }
                    } else {
                        json.field("response", "")
                    }
                    json.field("done") { $0.bool(true) }
                    json.field("done_reason", "load")
                }
            })
    }

    private struct EmbedRequest: Decodable {
        var model: String
        var input: OneOrMany<String>
        /// A text that is too long is cut unless the client says no.
        var truncate: Bool?
        var dimensions: Int?
    }

    private func embed(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(EmbedRequest.self, from: data, refusing: .ollamaEmbed)
        var own = EmbeddingRequest(
            model: fleet.ollamaName(request.model), inputs: PromptList(texts: request.input.values))
        own.dimensions = request.dimensions
        if request.truncate ?? true { own.truncate_prompt_tokens = -1 }
        return try await embeddings.embed(own, scope) { embeddings, model, count in
            let state = scope.record.snapshot
            return JSONResponse.make(
                WrittenJSON { json in
                    json.object { json in
                        json.field("model", model.name)
                        json.field("embeddings") { json in
                            json.array(embeddings) { json, numbers in json.array(numbers) { $0.number($1) } }
                        }
                        json.field("total_duration", (.now - state.started).nanoseconds)
                        json.field("load_duration", 0)
                        json.field("prompt_eval_count", count)
                    }
                })
        }
    }
}

extension Fleet {
    /// Ollama's clients say NAME:latest for what has no other tag.
    func ollamaName(_ name: String) -> String {
        name.hasSuffix(":latest") && models[name] == nil ? String(name.dropLast(7)) : name
    }
}
