import Foundation
import Hummingbird
import Messages

/// `POST /tokenize` and `/detokenize`, in vLLM's form.
struct TokensRoutes: RouteGroup {
    let pipeline: RequestPipeline
    let conversations: Conversations
    let routing: RoutingSource

    private var fleet: Fleet { conversations.fleet }

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/tokenize") { request, context in
            try await pipeline.run(.query, request, context) { try await tokenize($0, until: $1.deadline) }
        }
        router.post("/detokenize") { request, context in
            try await pipeline.run(.query, request, context) { try await detokenize($0, until: $1.deadline) }
        }
    }

    private struct TokenizeRequest: Decodable {
        /// nil for the one text model that is served.
        var model: String?
        /// Either a text or a conversation.
        var prompt: String?
        var conversation: ChatCompletionRequest?
        var add_special_tokens: Bool?

        private enum Key: String, CodingKey { case model, prompt, messages, add_special_tokens }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            model = try container.decodeIfPresent(String.self, forKey: .model)
            prompt = try container.decodeIfPresent(String.self, forKey: .prompt)
            let turns = try container.decodeIfPresent([ChatCompletionRequest.Message].self, forKey: .messages)
            add_special_tokens = try container.decodeIfPresent(Bool.self, forKey: .add_special_tokens)
            let (template, tools) = (try TemplateOptions(from: decoder), try ToolDemand(from: decoder))
            conversation = try turns.map { turns in
                var own = ChatCompletionRequest(
                    messages: try ChatCompletionRequest.Message.linked(turns),
                    parameters: try GenerationParameters(from: decoder))
                (own.template, own.tools) = (template, tools)
                return own
            }
        }
    }

    private struct TokenizeResponse: Encodable {
        var count: Int
        var max_model_len: Int
        var tokens: [Int32]
    }

    private struct DetokenizeRequest: Decodable {
        var model: String?
        var tokens: [Int32]
    }

    private struct DetokenizeResponse: Encodable {
        var prompt: String
    }

    private func tokenize(_ data: Data, until deadline: ContinuousClock.Instant) async throws -> Response {
        let request = try JSONRequest.decode(TokenizeRequest.self, from: data, refusing: .tokenize)
        let model = try fleet.textModel(request.model, aliases: routing.current.aliases)
        let reply: Wire.TokensReply
        switch (request.prompt, request.conversation) {
        case (let prompt?, nil):
            let encode = Wire.EncodeRequest(
                model: model.base, text: prompt, addSpecialTokens: request.add_special_tokens ?? true)
            reply = try await fleet.call(Wire.Tokenizer.encode, encode, model: model, until: deadline)
        case (nil, let conversation?):
            reply = try await conversations.tokens(of: conversation, with: model, until: deadline)
        default:
            throw APIError.invalidRequest("Give either 'prompt' or 'messages'.", parameter: "prompt")
        }
        return try JSONResponse.make(
            TokenizeResponse(count: reply.ids.count, max_model_len: model.contextLength, tokens: reply.ids))
    }

    private func detokenize(_ data: Data, until deadline: ContinuousClock.Instant) async throws -> Response {
        let request = try JSONRequest.decode(DetokenizeRequest.self, from: data)
        let model = try fleet.textModel(request.model, aliases: routing.current.aliases)
        let reply = try await fleet.call(
            Wire.Tokenizer.decode,
            Wire.DecodeRequest(model: model.base, ids: request.tokens, skipSpecialTokens: false), model: model,
            until: deadline)
        return try JSONResponse.make(DetokenizeResponse(prompt: reply.text))
    }
}

extension Fleet {
    /// The text model that a request for token ids means.
    ///
    /// - Parameter name: nil where the client names none.
    /// - Throws: `APIError` where it is not clear which one is meant.
    func textModel(_ name: String?, aliases: [String: String]) throws -> ModelDescription {
        if let name { return try model(aliases[name] ?? name, modalities: ["text"]) }
        let models = models.values.filter { $0.modality == "text" && $0.parent == nil }
        guard models.count == 1, let only = models.first else {
            guard isReady else { throw APIError.notReady }
            throw APIError.invalidRequest(
                "'model' is required; text models: \(models.map(\.name).sorted()).", parameter: "model")
        }
        return try model(only.name, modalities: ["text"])
    }
}
