import Foundation
import Hummingbird
import Messages

/// Plain completions.
extension Gateway {
    func complete(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(CompletionRequest.self, from: data, refusing: .completions)
        let total = request.prompts.count.multipliedReportingOverflow(by: max(1, request.parameters.n ?? 1))
        guard !request.prompts.isEmpty, !total.overflow, total.partialValue <= CompletionRequest.choiceLimit else {
            throw APIError.invalidRequest(
                "\(request.prompts.count) prompts with n \(request.parameters.n ?? 1): 1 to "
                    + "\(CompletionRequest.choiceLimit) choices a request.", parameter: "prompt")
        }
        return try await promptly(isStream: request.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: CompletionRequest, _ scope: RequestScope) async throws -> Response {
        try await route(
            request.routing, preset: request.parameters.preset, tokens: request.parameters.tokens(default: 256),
            modalities: ["text"], scope
        ) { model, decision, scope in
            var request = request
            for (index, prompt) in request.prompts.enumerated() {
                request.prompts[index] = try await filtered(prompt, from: "prompt", model: model, scope)
                guard case .text(let text) = request.prompts[index] else { continue }
                let preset = try await scope.preset(
                    decision, variables: request.parameters.preset_variables, input: text, .in)
                preset?.complete(&request.parameters)
                if let preset {
                    request.prompts[index] = .text(
                        try await scope.filtered(preset.completion(text), .in, from: "preset_variables"))
                }
            }
            request.parameters.routeMaxTokens = decision.limits.maxTokens
            let recorded = request.routing.text
            scope.record.keep([.init(role: "user", content: recorded)])
            return try await complete(request, with: model, scope)
        }
    }

    private func complete(
        _ request: CompletionRequest, with model: ModelDescription, _ scope: RequestScope
    ) async throws -> Response {
        let deadline = scope.deadline
        try fleet.admit(
            model, tokens: request.parameters.tokens(default: 16, prompts: request.prompts.count), until: deadline)
        let echo = request.echo ?? false
        guard !(echo && request.parameters.stream == true) else {
            throw APIError.invalidRequest("'echo' is not supported with 'stream'.", parameter: "echo")
        }
        var calls: [Wire.GenerateRequest] = []
        for prompt in request.prompts {
            let tokens = try await encode(prompt, model: model, until: deadline)
            var call = try request.parameters.request(
                prompt: tokens, from: "prompt", for: model, defaultMaxTokens: 16)
            call.logprobs = try request.logprobs.map {
                try GenerationParameters.count($0, "logprobs", atLeast: 0, most: 20)
            }
            call.promptLogprobs = echo && request.logprobs != nil
            calls.append(call)
        }
        let generation = try await fleet.generate(calls, model: model, idPrefix: "cmpl-", scope)
        if request.parameters.stream == true {
            return EventStream.response(generation, options: request.parameters.stream_options, form: TextChunks())
        }
        let (choices, tokens) = try await generation.collect()
        var texts: [TextCompletion.Choice] = []
        for (number, prompt) in request.prompts.enumerated() {
            let first = number * generation.choicesOfEach
            let opening = echo ? try await text(prompt, model: model, until: deadline) : ""
            var openingLogprobs = CompletionLogprobs()
            if echo, request.logprobs != nil {
                let token = Array(generation.prompts[number].prefix(1))
                let text = try await text(.tokens(token), model: model, until: deadline)
                openingLogprobs.append(Array(text.utf8), nil, nil)
                // Only the first choice of a prompt carries its log-probabilities; they are the same for all.
                for token in choices[first].promptLogprobs { openingLogprobs.append(token) }
            }
            openingLogprobs.skip(generation.notice?.opening ?? "")
            for index in first..<first + generation.choicesOfEach {
                let choice = choices[index]
                var answer = TextCompletion.Choice(
                    index: index, text: opening + choice.text, finish_reason: choice.finishReason)
                if request.logprobs != nil {
                    var logprobs = openingLogprobs
                    for token in choice.logprobs { logprobs.append(token) }
                    answer.logprobs = logprobs
                }
                texts.append(answer)
            }
        }
        return JSONResponse.make(
            TextCompletion(
                id: generation.id, created: generation.created, model: generation.model,
                system_fingerprint: generation.fingerprint, choices: texts,
                usage: Usage(prompt: generation.promptTokens, completion: tokens)))
    }

    /// Token ids are filtered as the text they spell, and become it where something is redacted.
    ///
    /// - Parameter field: what the client gave them in.
    func filtered(
        _ prompt: CompletionPrompt, from field: String, model: ModelDescription, _ scope: RequestScope
    ) async throws -> CompletionPrompt {
        guard scope.filter != nil else { return prompt }
        let spelled: String
        do {
            spelled = try await text(prompt, model: model, until: scope.deadline)
        } catch var error as APIError {
            // The tokenizer knows them by another name.
            if error.parameter == "tokens" { error.parameter = field }
            throw error
        }
        let passed = try await scope.filtered(spelled, .in, from: field)
        // A control token between two words must not hide them from the filter.
        if case .tokens(let ids) = prompt {
            let bare = try await fleet.call(
                Wire.Tokenizer.decode, Wire.DecodeRequest(model: model.base, ids: ids, skipSpecialTokens: true),
                model: model, until: scope.deadline
            ).text
            if bare != spelled {
                let passedBare = try await scope.filtered(bare, .in, from: field)
                if passedBare != bare { return .text(passedBare) }
            }
        }
        return passed == spelled ? prompt : .text(passed)
    }

    func encode(
        _ prompt: CompletionPrompt, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> Wire.TokensReply {
        switch prompt {
        case .tokens(let ids): return Wire.TokensReply(ids: ids, tokenizerHash: "")
        case .text(let text):
            return try await fleet.call(
                Wire.Tokenizer.encode, Wire.EncodeRequest(model: model.base, text: text, addSpecialTokens: true),
                model: model, until: deadline)
        }
    }

    private func text(
        _ prompt: CompletionPrompt, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> String {
        switch prompt {
        case .text(let text): return text
        case .tokens(let ids):
            return try await fleet.call(
                Wire.Tokenizer.decode, Wire.DecodeRequest(model: model.base, ids: ids, skipSpecialTokens: false),
                model: model, until: deadline
            ).text
        }
    }
}

struct TextChunks: ChunkForm {
    /// Characters of each choice whose log-probabilities are sent.
    private var offsets: [UInt32: Int] = [:]

    func opening(_ generation: Generation, choice: Int) -> TextCompletion? { nil }

    mutating func chunk(_ generation: Generation, _ delta: Wire.GenerateDelta) -> TextCompletion {
        let reason = delta.finishReason.isEmpty ? nil : delta.finishReason
        var choice = TextCompletion.Choice(index: Int(delta.choice), text: delta.text, finish_reason: reason)
        if let logprob = delta.logprob {
            let opening = generation.notice?.opening.unicodeScalars.count ?? 0
            var logprobs = CompletionLogprobs(offset: offsets[delta.choice, default: opening])
            logprobs.append(logprob)
            offsets[delta.choice] = logprobs.offset
            choice.logprobs = logprobs
        }
        return chunk(generation, [choice])
    }

    func usage(_ generation: Generation, _ usage: Usage) -> TextCompletion {
        var chunk = chunk(generation, [])
        chunk.usage = usage
        return chunk
    }

    private func chunk(_ generation: Generation, _ choices: [TextCompletion.Choice]) -> TextCompletion {
        TextCompletion(
            id: generation.id, created: generation.created, model: generation.model,
            system_fingerprint: generation.fingerprint, choices: choices)
    }
}
