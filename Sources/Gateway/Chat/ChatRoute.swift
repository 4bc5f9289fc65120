import ContentFilter
import Foundation
import Hummingbird
import Messages
import PromptRouting

/// `POST /v1/chat/completions`.
struct ChatRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let conversations: Conversations
    let drawings: ChatDrawings

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/chat/completions") { try await pipeline.run(.generation, $0, $1, answer) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ChatCompletionRequest.self, from: data, refusing: .chat)
        guard !request.messages.isEmpty else {
            throw APIError.invalidRequest("'messages' holds no message.", parameter: "messages")
        }
        return try await streams.promptly(isStream: request.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: ChatCompletionRequest, _ scope: RequestScope) async throws -> Response {
        try await models.answer(
            request.routing, preset: request.parameters.preset, tokens: request.parameters.tokens(default: 256),
            modalities: ["text", "image"], scope
        ) { model, decision, scope in
            let isPicture = model.modality == "image"
            if let other = request.modalities?.first(where: { $0 != "text" && !(isPicture && $0 == "image") }) {
                throw APIError.invalidRequest(
                    "'modalities' has '\(other.prefix(40))'; the model '\(model.name)' answers with "
                        + "\(isPicture ? "pictures" : "text").", parameter: "modalities")
            }
            if !isPicture { return try await write(request, decision, with: model, scope) }
            let (passed, preset) = try await conversations.filtered(request, .image, decision, scope)
            let input = passed.lastUserText
            var prompt = input
            if let preset {
                prompt = try await scope.filtered(preset.picture(input), .image, from: "preset_variables")
            }
            return try await drawings.answer(passed, prompt: prompt, on: model, scope)
        }
    }

    private func write(
        _ request: ChatCompletionRequest, _ decision: RouteDecision, with model: ModelDescription,
        _ scope: RequestScope
    ) async throws -> Response {
        let alternatives = try request.alternatives()
        let generation = try await conversations.begin(
            request, from: "messages", decision, logprobs: alternatives, with: model, idPrefix: "chatcmpl-", scope)
        if request.parameters.stream == true {
            return EventStream.response(generation, options: request.parameters.stream_options, form: ChatChunks())
        }
        let (choices, usage) = try await generation.collect()
        return JSONResponse.make(
            ChatCompletion(
                id: generation.id, object: "chat.completion", created: generation.created, model: generation.model,
                system_fingerprint: generation.fingerprint,
                choices: choices.enumerated().map { index, choice in
                    .init(
                        index: index, message: .init(choice),
                        logprobs: alternatives == nil ? nil : ChatLogprobs(choice.logprobs),
                        finish_reason: choice.finishReason)
                }, usage: usage))
    }
}
