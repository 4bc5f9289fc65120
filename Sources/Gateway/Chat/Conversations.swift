import ContentFilter
import Foundation
import JSON
import Messages
import PromptRouting

/// Filters conversations and begins their answers, for chats and responses alike.
struct Conversations: Sendable {
    let fleet: Fleet
    let forms: ChatForms

    init(fleet: Fleet) { (self.fleet, forms) = (fleet, ChatForms(fleet)) }

    /// The request after the filter, and the preset that it or its route names.
    func filtered(
        _ request: ChatCompletionRequest, _ direction: FilterPolicy.Direction, _ decision: RouteDecision,
        from field: String = "messages", _ scope: RequestScope
    ) async throws -> (request: ChatCompletionRequest, preset: ChosenPreset?) {
        var request = request
        for index in request.messages.indices {
            if request.messages[index].role == "assistant", let notice = scope.labels.text.notice {
                request.messages[index].parts = request.messages[index].parts.map { notice.removed(from: $0) }
            }
            request.messages[index].parts = request.messages[index].parts.map(\.withoutPictures)
            request.messages[index] = try await scope.filtered(request.messages[index], direction, from: field)
        }
        request.template = try await scope.filtered(request.template, direction)
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
            request.messages[index] = try await scope.filtered(
                request.messages[index], .in, from: "preset_variables")
        }
    }

    /// Filters a conversation, puts it into its preset and under its route's limits, and begins its answers.
    ///
    /// - Throws: `APIError`.
    func begin(
        _ request: ChatCompletionRequest, from field: String, _ decision: RouteDecision, logprobs: UInt32? = nil,
        with model: ModelDescription, idPrefix: String, restored: RestoredAnswer? = nil, _ scope: RequestScope
    ) async throws -> Generation {
        var (request, preset) = try await filtered(request, .in, decision, from: field, scope)
        request.apply(preset, of: decision, scope.record)
        if preset != nil { try await filterWhole(&request, scope) }
        return try await generation(
            for: request, from: field, logprobs: logprobs, with: model, idPrefix: idPrefix, restored: restored, scope)
    }

    /// The token ids of a conversation, with what stands around it.
    ///
    /// - Throws: `APIError`.
    func tokens(
        of request: ChatCompletionRequest, with model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> Wire.TokensReply { try await prepared(request, with: model, until: deadline).prompt }

    /// Begins the answers to a conversation.
    ///
    /// - Parameters:
    ///   - field: what the client gave it in.
    ///   - logprobs: alternatives beside each token's log-probability; nil for no log-probabilities.
    ///   - restored: of an answer that another gateway may have begun; nil for a new one.
    /// - Throws: `APIError`.
    func generation(
        for request: ChatCompletionRequest, from field: String, logprobs: UInt32?, with model: ModelDescription,
        idPrefix: String, restored: RestoredAnswer? = nil, _ scope: RequestScope
    ) async throws -> Generation {
        let deadline = scope.deadline
        var scope = scope
        scope.cacheKey = request.parameters.prompt_cache_key
        try fleet.admit(model, tokens: request.parameters.tokens(default: nil), until: deadline)
        let (request, form, prompt) = try await prepared(request, with: model, until: deadline)
        let reading = request.reading(form, opening: prompt.opening)
        var call = try request.parameters.request(prompt: prompt, from: field, for: model, defaultMaxTokens: nil)
        call.logprobs = logprobs
        call.grammar = request.grammar(
            reading, closesThoughts: form.reasoning.map { prompt.opening.contains($0.closing) } ?? false)
        call.shownTokens = reading.marks
        // Of tokens that come together it cannot be told which are thoughts.
        if reading.reasoning != nil { call.batchingDelay = .zero }
        if let thoughts = form.reasoning, let tokens = request.template.thoughtTokens {
            call.thoughtLimit = Wire.ThoughtLimit(
                opening: thoughts.opening, closing: thoughts.closing, ending: thoughts.ending,
                tokens: UInt32(clamping: tokens), isOpen: reading.isThinking)
        }
        var generation = try await Generation.begin(
            [call], on: fleet, model: model, idPrefix: idPrefix, restored: restored, scope)
        if reading.toolForm != nil || reading.reasoning != nil { generation.reading = reading }
        return generation
    }

    /// A conversation as its model's chat template takes it, and its token ids.
    private func prepared(
        _ request: ChatCompletionRequest, with model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> (request: ChatCompletionRequest, form: ChatForms.Form, prompt: Wire.TokensReply) {
        let form = try await forms.form(of: model, until: deadline)
        var request = request
        try request.template.settle(for: form, of: model.name)
        // Only what may be called is shown.
        if !request.tools.mayCall { request.template.tools = [] }
        let hasTools = request.tools.mayCall || request.messages.contains { !$0.toolCalls.isEmpty || $0.role == "tool" }
        if hasTools, !form.isOwn { request.writeTools(request.tools) }
        return (request, form, try await rendered(request, with: model, until: deadline))
    }

    /// The token ids of a conversation.
    ///
    /// - Throws: `APIError` that names the field which the model's chat template does not take.
    private func rendered(
        _ request: ChatCompletionRequest, with model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> Wire.TokensReply {
        do {
            return try await fleet.call(
                Wire.Tokenizer.renderChat,
                Wire.RenderChatRequest(model: model.base, request.messages, request.template),
                model: model, until: deadline)
        } catch var error as APIError {
            error.parameter = request.template.field(error.parameter)
            throw error
        }
    }
}

extension ChatCompletionRequest {
    /// How the answers are to be read.
    ///
    /// - Parameter opening: what the chat template has written of the answer.
    fileprivate func reading(_ form: ChatForms.Form, opening: String) -> AnswerReading {
        AnswerReading(
            toolForm: tools.mayCall ? form.toolForm : nil, tools: tools.callable, reasoning: form.reasoning,
            isThinking: form.reasoning.map { form in
                opening.ranges(of: form.opening).last.map { !opening[$0.upperBound...].contains(form.closing) } ?? false
            } ?? false)
    }

    /// What the answers must be; nil for anything.
    ///
    /// - Parameter closesThoughts: whether the prompt says that nothing is thought.
    fileprivate func grammar(_ reading: AnswerReading, closesThoughts: Bool) -> Wire.Grammar? {
        var grammar = parameters.grammar
        if let form = reading.toolForm {
            var own = grammar ?? Wire.Grammar()
            own.toolForm = form.name
            own.tools = JSONValue.array(reading.tools.map(\.json)).bytes
            own.requiresCall = tools.choice != .auto
            own.isSingleCall = !tools.isParallel
            if case .function = tools.choice { own.isSingleCall = true }
            grammar = own
        }
        if let form = reading.reasoning, !closesThoughts || reading.isThinking {
            grammar?.reasoningForm = form.name
            grammar?.isThinking = reading.isThinking
        }
        return grammar
    }

    /// Puts the conversation into a preset and under its route's limits.
    mutating func apply(_ preset: ChosenPreset?, of decision: RouteDecision, _ record: RequestRecord) {
        preset?.complete(&parameters)
        parameters.routeMaxTokens = decision.limits.maxTokens
        messages = preset?.messages(messages) ?? messages
        record.keep(
            messages.map { message in
                .init(
                    role: message.role, content: message.content,
                    calls: message.toolCalls.map {
                        .init(id: $0.id, name: $0.function.name, arguments: $0.function.arguments)
                    }, callID: message.toolCallID, name: message.name)
            })
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
