import Messages

/// Makes token ids of plain prompts, which come as text or as ids, and text of ids.
struct PromptReader: Sendable {
    let fleet: Fleet

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

    /// - Parameters:
    ///   - limit: tokens of a text, at most; it is cut to them. nil: nothing is cut.
    ///   - suffix: what follows the text that is wanted; nil where the prompt goes on.
    func encode(
        _ prompt: CompletionPrompt, limit: Int? = nil, suffix: String? = nil, model: ModelDescription,
        until deadline: ContinuousClock.Instant
    ) async throws -> Wire.TokensReply {
        switch prompt {
        case .tokens where suffix != nil:
            throw APIError.invalidRequest("'suffix' stands behind a text, not behind token ids.", parameter: "suffix")
        case .tokens(let ids): return Wire.TokensReply(ids: ids, tokenizerHash: "")
        case .text(let text):
            return try await fleet.encode(
                Wire.EncodeRequest(
                    model: model.base, text: text, addSpecialTokens: true,
                    limit: limit.flatMap { UInt32(exactly: $0) }, suffix: suffix),
                model: model, until: deadline)
        }
    }

    func text(
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

extension Fleet {
    /// The ids of a text, or of two.
    func encode(
        _ request: Wire.EncodeRequest, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> Wire.TokensReply {
        do {
            return try await call(Wire.Tokenizer.encode, request, model: model, until: deadline)
        } catch var error as APIError {
            // The tokenizer knows it by another name.
            if error.parameter == "limit" { error.parameter = "truncate_prompt_tokens" }
            throw error
        }
    }
}
