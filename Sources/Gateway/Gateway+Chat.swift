import ContentFilter
import Foundation
import Hummingbird
import Messages
import PromptRouting

/// Chat completions.
extension Gateway {
    func chat(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(ChatCompletionRequest.self, from: data, refusing: .chat)
        guard !request.messages.isEmpty else {
            throw APIError.invalidRequest("'messages' holds no message.", parameter: "messages")
        }
        return try await promptly(isStream: request.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: ChatCompletionRequest, _ scope: RequestScope) async throws -> Response {
        try await route(
            request.routing, preset: request.parameters.preset, tokens: request.parameters.tokens(default: 256),
            modalities: ["text", "image"], scope
        ) { model, decision, scope in
            let isPicture = model.modality == "image"
            if let other = request.modalities?.first(where: { $0 != "text" && !(isPicture && $0 == "image") }) {
                throw APIError.invalidRequest(
                    "'modalities' has '\(other.prefix(40))'; the model '\(model.name)' answers with "
                        + "\(isPicture ? "pictures" : "text").", parameter: "modalities")
            }
            let (passed, preset) = try await filtered(request, isPicture ? .image : .in, decision, scope)
            var request = passed
            if isPicture {
                let input = request.lastUserText
                var prompt = input
                if let preset {
                    prompt = try await scope.filtered(preset.picture(input), .image, from: "preset_variables")
                }
                return try await drawInChat(request, prompt: prompt, on: model, scope)
            }
            request.apply(preset, of: decision, scope.record)
            if preset != nil { try await filterWhole(&request, scope) }
            return try await write(request, with: model, scope)
        }
    }

    /// The request after the filter, and the preset that it or its route names.
    func filtered(
        _ request: ChatCompletionRequest, _ direction: FilterPolicy.Direction, _ decision: RouteDecision,
        from field: String = "messages", _ scope: RequestScope
    ) async throws -> (request: ChatCompletionRequest, preset: ChosenPreset?) {
        var request = request
        for index in request.messages.indices {
            if request.messages[index].role == "assistant", let notice = scope.labels.text.notice {
                request.messages[index].content = notice.removed(from: request.messages[index].content)
            }
            request.messages[index].content = try await scope.filtered(
                request.messages[index].content.withoutPictures, direction, from: field)
        }
        let preset = try await scope.preset(
            decision, variables: request.parameters.preset_variables, input: request.lastUserText, direction)
        return (request, preset)
    }

    /// Filters what a preset makes of a client's values: two that are harmless may join into what is not.
    ///
    /// - Throws: `APIError` for what is blocked.
    func filterWhole(_ request: inout ChatCompletionRequest, _ scope: RequestScope) async throws {
        guard request.parameters.preset_variables?.isEmpty == false else { return }
        for index in request.messages.indices {
            request.messages[index].content = try await scope.filtered(
                request.messages[index].content, .in, from: "preset_variables")
        }
    }

    private func write(
        _ request: ChatCompletionRequest, with model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let alternatives = try request.alternatives()
        let generation = try await generation(
            for: request, from: "messages", logprobs: alternatives, with: model, idPrefix: "chatcmpl-", scope)
        if request.parameters.stream == true {
            return EventStream.response(generation, options: request.parameters.stream_options, form: ChatChunks())
        }
        let (choices, tokens) = try await generation.collect()
        return JSONResponse.make(
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

extension Gateway {
    /// Begins the answers to a conversation.
    ///
    /// - Parameters:
    ///   - field: what the client gave it in.
    ///   - logprobs: alternatives beside each token's log-probability; nil for no log-probabilities.
    /// - Throws: `APIError`.
    func generation(
        for request: ChatCompletionRequest, from field: String, logprobs: UInt32?, with model: ModelDescription,
        idPrefix: String, _ scope: RequestScope
    ) async throws -> Generation {
        let deadline = scope.deadline
        try fleet.admit(model, tokens: request.parameters.tokens(default: nil), until: deadline)
        let turns = request.messages.map { Wire.ChatMessage(role: $0.role, content: $0.content) }
        let prompt = try await fleet.call(
            Wire.Tokenizer.renderChat, Wire.RenderChatRequest(model: model.base, messages: turns), model: model,
            until: deadline)
        var call = try request.parameters.request(prompt: prompt, from: field, for: model, defaultMaxTokens: nil)
        call.logprobs = logprobs
        return try await fleet.generate([call], model: model, idPrefix: idPrefix, scope)
    }
}

extension ChatCompletionRequest {
    /// Puts the conversation into a preset and under its route's limits.
    mutating func apply(_ preset: ChosenPreset?, of decision: RouteDecision, _ record: RequestRecord) {
        preset?.complete(&parameters)
        parameters.routeMaxTokens = decision.limits.maxTokens
        messages = preset?.messages(messages) ?? messages
        record.keep(messages.map { .init(role: $0.role, content: $0.content) })
    }

    /// Alternatives beside each token's log-probability; nil for no log-probabilities.
    func alternatives() throws -> UInt32? {
        guard logprobs == true else {
            if let top_logprobs, top_logprobs != 0 {
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

    func chunk(_ generation: Generation, _ delta: Wire.GenerateDelta) -> ChatCompletion {
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
