import Foundation
import Hummingbird
import Messages

/// `POST /tokenize` and `/detokenize`, in vLLM's form.
extension Gateway {
    private struct TokenizeRequest: Decodable {
        /// nil for the one text model that is served.
        var model: String?
        /// Either a text or a conversation.
        var prompt: String?
        var messages: [ChatCompletionRequest.Message]?
        var add_special_tokens: Bool?
        var add_generation_prompt: Bool?
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

    /// - Parameter name: nil where the client names none.
    /// - Throws: `APIError` where it is not clear which one is meant.
    private func textModel(_ name: String?) throws -> ModelDescription {
        if let name { return try fleet.model(routing.current.aliases[name] ?? name, modalities: ["text"]) }
        let models = fleet.models.values.filter { $0.modality == "text" && $0.parent == nil }
        guard models.count == 1, let only = models.first else {
            guard fleet.isReady else { throw APIError.notReady }
            throw APIError.invalidRequest(
                "'model' is required; text models: \(models.map(\.name).sorted()).", parameter: "model")
        }
        return try fleet.model(only.name, modalities: ["text"])
    }

    func tokenize(_ data: Data, until deadline: ContinuousClock.Instant) async throws -> Response {
        let request = try JSONRequest.decode(TokenizeRequest.self, from: data, refusing: .tokenize)
        let model = try textModel(request.model)
        let reply: Wire.TokensReply
        switch (request.prompt, request.messages) {
        case (let prompt?, nil):
            let encode = Wire.EncodeRequest(
                model: model.base, text: prompt, addSpecialTokens: request.add_special_tokens ?? true)
            reply = try await fleet.call(Wire.Tokenizer.encode, encode, model: model, until: deadline)
        case (nil, let messages?):
            let render = Wire.RenderChatRequest(
                model: model.base, messages: messages.map { Wire.ChatMessage(role: $0.role, content: $0.content) },
                addGenerationPrompt: request.add_generation_prompt ?? true)
            reply = try await fleet.call(Wire.Tokenizer.renderChat, render, model: model, until: deadline)
        default:
            throw APIError.invalidRequest("Give either 'prompt' or 'messages'.", parameter: "prompt")
        }
        return try JSONResponse.make(
            TokenizeResponse(count: reply.ids.count, max_model_len: model.contextLength, tokens: reply.ids))
    }

    func detokenize(_ data: Data, until deadline: ContinuousClock.Instant) async throws -> Response {
        let request = try JSONRequest.decode(DetokenizeRequest.self, from: data)
        let model = try textModel(request.model)
        let reply = try await fleet.call(
            Wire.Tokenizer.decode,
            Wire.DecodeRequest(model: model.base, ids: request.tokens, skipSpecialTokens: false), model: model,
            until: deadline)
        return try JSONResponse.make(DetokenizeResponse(prompt: reply.text))
    }
}
