import Foundation
import Hummingbird
import Messages

/// `POST /v1/completions`: plain completions.
struct CompletionsRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let streams: PromptStreams
    let prompts: PromptReader
    let fleet: Fleet

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/completions") { try await pipeline.run(.generation, $0, $1, answer) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(CompletionRequest.self, from: data, refusing: .completions)
        let total = request.prompts.count.multipliedReportingOverflow(by: max(1, request.parameters.n ?? 1))
        guard !request.prompts.isEmpty, !total.overflow, total.partialValue <= CompletionRequest.choiceLimit else {
            throw APIError.invalidRequest(
                "\(request.prompts.count) prompts with n \(request.parameters.n ?? 1): 1 to "
                    + "\(CompletionRequest.choiceLimit) choices a request.", parameter: "prompt")
        }
        return try await streams.promptly(isStream: request.parameters.stream == true, scope) {
            try await answer(request, scope)
        }
    }

    private func answer(_ request: CompletionRequest, _ scope: RequestScope) async throws -> Response {
        try await models.answer(
            request.routing, preset: request.parameters.preset, tokens: request.parameters.tokens(default: 256),
            modalities: ["text"], scope
        ) { model, decision, scope in
            var request = request
            for (index, prompt) in request.prompts.enumerated() {
                request.prompts[index] = try await prompts.filtered(prompt, from: "prompt", model: model, scope)
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
        var scope = scope
        scope.cacheKey = request.parameters.prompt_cache_key
        var suffix = request.suffix
        if let given = suffix { suffix = try await scope.filtered(given, .in, from: "suffix") }
        try fleet.admit(
            model, tokens: request.parameters.tokens(default: 16, prompts: request.prompts.count), until: deadline)
        let echo = request.echo ?? false
        guard !(echo && request.parameters.stream == true) else {
            throw APIError.invalidRequest("'echo' is not supported with 'stream'.", parameter: "echo")
        }
        var calls: [Wire.GenerateRequest] = []
        for prompt in request.prompts {
            let tokens = try await prompts.encode(prompt, suffix: suffix, model: model, until: deadline)
            var call = try request.parameters.request(
                prompt: tokens, from: "prompt", for: model, defaultMaxTokens: 16)
            call.logprobs = try request.logprobs.map {
                try GenerationParameters.count($0, "logprobs", atLeast: 0, most: 20)
            }
            // The best are those whose tokens are the likeliest.
            if request.told != nil, call.logprobs == nil { call.logprobs = 0 }
            call.promptLogprobs = echo && request.logprobs != nil
            calls.append(call)
        }
        let generation = try await Generation.begin(calls, on: fleet, model: model, idPrefix: "cmpl-", scope)
        if request.parameters.stream == true {
            return EventStream.response(generation, options: request.parameters.stream_options, form: TextChunks())
        }
        let (choices, usage) = try await generation.collect()
        var texts: [TextCompletion.Choice] = []
        for (number, prompt) in request.prompts.enumerated() {
            let first = number * generation.choicesOfEach
            let opening = echo ? try await prompts.text(prompt, model: model, until: deadline) : ""
            var openingLogprobs = CompletionLogprobs()
            if echo, request.logprobs != nil {
                let token = Array(generation.prompts[number].prefix(1))
                let text = try await prompts.text(.tokens(token), model: model, until: deadline)
                openingLogprobs.append(Array(text.utf8), nil, nil)
                // Only the first choice of a prompt carries its log-probabilities; they are the same for all.
                for token in choices[first].promptLogprobs { openingLogprobs.append(token) }
            }
            openingLogprobs.skip(generation.notice?.opening ?? "")
            let made = choices[first..<first + generation.choicesOfEach]
            let told = request.told.map { Generation.Choice.best($0, of: made) } ?? Array(made)
            for choice in told {
                var answer = TextCompletion.Choice(
                    index: texts.count, text: opening + choice.text, finish_reason: choice.finishReason)
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
                usage: usage))
    }
}

extension Generation.Choice {
    /// Those with the likeliest tokens, of equal ones the first.
    fileprivate static func best(_ count: Int, of choices: ArraySlice<Generation.Choice>) -> [Generation.Choice] {
        func mean(_ choice: Generation.Choice) -> Double {
            choice.logprobs.isEmpty
                ? -.infinity : choice.logprobs.reduce(0) { $0 + Double($1.logprob) } / Double(choice.logprobs.count)
        }
        return choices.map { ($0, mean($0)) }.enumerated()
            .sorted { ($0.element.1, $1.offset) > ($1.element.1, $0.offset) }.prefix(count).map(\.element.0)
    }
}

struct TextChunks: ChunkForm {
    /// Characters of each choice whose log-probabilities are sent.
    private var offsets: [UInt32: Int] = [:]

    func opening(_ generation: Generation, choice: Int) -> TextCompletion? { nil }

    mutating func chunk(_ generation: Generation, _ delta: AnswerDelta) -> TextCompletion {
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
