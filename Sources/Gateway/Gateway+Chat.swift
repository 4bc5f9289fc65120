import ContentFilter
import Foundation
import Hummingbird
import Messages

/// Chat completions.
extension Gateway {
    func chat(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ChatCompletionRequest.self, from: data)
        guard !request.messages.isEmpty else {
            throw APIError.invalidRequest("'messages' holds no message.", parameter: "messages")
        }
        return try await route(
            request.routing, preset: request.parameters.preset, tokens: request.parameters.tokens(default: 256),
            modalities: ["text", "image"], scope
        ) { model, decision, scope in
            var request = request
            let direction: FilterPolicy.Direction = model.modality == "image" ? .image : .in
            for index in request.messages.indices {
                if request.messages[index].role == "assistant", let notice = scope.labels.text.notice {
                    request.messages[index].content = notice.removed(from: request.messages[index].content)
                }
                request.messages[index].content = try await scope.filtered(
                    request.messages[index].content.withoutPictures, direction, from: "messages")
            }
            let input = request.lastUserText
            let preset = try await scope.preset(
                decision, variables: request.parameters.preset_variables, input: input, direction)
            if model.modality == "image" {
                return try await drawInChat(request, prompt: preset?.picture(input) ?? input, on: model, scope)
            }
            preset?.complete(&request.parameters)
            request.parameters.routeMaxTokens = decision.limits.maxTokens
            request.messages = preset?.messages(request.messages) ?? request.messages
            scope.record.keep(request.messages.map { .init(role: $0.role, content: $0.content) })
            return try await write(request, with: model, scope)
        }
    }

    private func write(
        _ request: ChatCompletionRequest, with model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let deadline = scope.deadline
        try fleet.admit(model, tokens: request.parameters.tokens(default: nil), until: deadline)
        let alternatives = try request.alternatives()
        let turns = request.messages.map { ChatTurn(role: $0.role, content: $0.content) }
        let prompt = try await fleet.call(
            TokenizerMethods.renderChat, RenderChatRequest(model: model.base, messages: turns), model: model,
            until: deadline)
        var call = try request.parameters.request(prompt: prompt, from: "messages", for: model, defaultMaxTokens: nil)
        call.logprobs = alternatives
        let generation = try await fleet.generate([call], model: model, idPrefix: "chatcmpl-", scope)
        if request.parameters.stream == true {
            let usage = request.parameters.stream_options?.include_usage ?? false
            return EventStream.response(generation, includesUsage: usage, form: ChatChunks())
        }
        let (choices, tokens) = try await generation.collect()
        return try JSONResponse.make(
            ChatCompletion(
                id: generation.id, object: "chat.completion", created: generation.created, model: generation.model,
                system_fingerprint: generation.fingerprint,
                choices: choices.enumerated().map { index, choice in
                    .init(
                        index: index, message: .init(role: "assistant", content: choice.text),
                        logprobs: alternatives == nil ? nil : ChatLogprobs(choice.logprobs),
                        finish_reason: choice.finishReason)
                }, usage: Usage(prompt: generation.promptTokens, completion: tokens)))
    }
}

extension ChatCompletionRequest {
    /// Alternatives beside each token's log-probability; nil for no log-probabilities.
    func alternatives() throws -> UInt32? {
        guard logprobs == true else {
            if top_logprobs != nil {
                throw APIError.invalidRequest("top_logprobs needs 'logprobs': true.", parameter: "top_logprobs")
            }
            return nil
        }
        let count = top_logprobs ?? 0
        guard (0...20).contains(count) else {
            throw APIError.invalidRequest(
                "top_logprobs is \(count); it must lie in 0…20.", parameter: "top_logprobs")
        }
        return UInt32(count)
    }
}

struct ChatChunks: ChunkForm {
    func opening(_ generation: Generation, choice: Int) -> ChatCompletion? {
        chunk(generation, [.init(index: choice, delta: .init(role: "assistant", content: ""))])
    }

    func chunk(_ generation: Generation, _ delta: GenerateDelta) -> ChatCompletion {
        let text = delta.text.isEmpty ? ChatCompletion.Text() : .init(content: delta.text)
        let reason = delta.finishReason.isEmpty ? nil : delta.finishReason
        let logprobs = delta.logprob.map { ChatLogprobs([$0]) }
        return chunk(
            generation, [.init(index: Int(delta.choice), delta: text, logprobs: logprobs, finish_reason: reason)])
    }

    func usage(_ generation: Generation, _ usage: Usage) -> ChatCompletion {
        var chunk = chunk(generation, [])
        chunk.usage = usage
        return chunk
    }

    private func chunk(_ generation: Generation, _ choices: [ChatCompletion.Choice]) -> ChatCompletion {
        ChatCompletion(
            id: generation.id, object: "chat.completion.chunk", created: generation.created, model: generation.model,
            system_fingerprint: generation.fingerprint, choices: choices)
    }
}
