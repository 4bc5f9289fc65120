import Messages
import RPC

/// Scores pairs of texts: by a model that was made for it, or by the angle between their embeddings.
struct PairScorer: Sendable {
    let fleet: Fleet

    struct Scores: Sendable {
        var values: [Float]
        /// Tokens of all texts that were read.
        var tokens: Int
    }

    private struct Encoded: Sendable {
        var inputs: [Wire.TypedTokens] = []
        var (hash, tokens) = ("", 0)
    }

    /// - Throws: `APIError` that names the field at fault.
    func score(_ request: ScoredPairs, _ model: ModelDescription, _ scope: RequestScope) async throws -> Scores {
        try fleet.admit(model, tokens: 0, until: scope.deadline)
        var request = request
        if let instruction = request.instruction {
            guard model.pair?.isConversation == true else {
                throw APIError.invalidRequest(
                    "The model '\(model.name)' compares two texts, and takes no instruction.", parameter: "instruction")
            }
            request.instruction = try await scope.filtered(instruction, .in, from: "instruction")
        }
        let pairs = try await filtered(request, scope)
        let limit = try TextLimit.tokens(request.truncation, of: model)
        if model.does(.score) {
            return try await scored(pairs, request, limit: limit, model, scope)
        }
        return try await compared(pairs, request, limit: limit, model, scope)
    }

    /// Texts that stand in several pairs are looked at once.
    private func filtered(
        _ request: ScoredPairs, _ scope: RequestScope
    ) async throws -> [(first: String, second: String)] {
        guard scope.filter != nil else { return request.pairs }
        var passed: [String: String] = [:]
        func pass(_ text: String, _ field: String) async throws -> String {
            if let known = passed[text] { return known }
            let result = try await scope.filtered(text, .in, from: field)
            passed[text] = result
            return result
        }
        var pairs: [(first: String, second: String)] = []
        for pair in request.pairs {
            let first = try await pass(pair.first, request.fields.first)
            pairs.append((first, try await pass(pair.second, request.fields.second)))
        }
        return pairs
    }

    // MARK: A model that scores

    private func scored(
        _ pairs: [(first: String, second: String)], _ request: ScoredPairs, limit: Int?, _ model: ModelDescription,
        _ scope: RequestScope
    ) async throws -> Scores {
        let reading = model.pair ?? Wire.PairReading()
        if reading.isConversation, limit != nil || request.documentLimit != nil {
            throw APIError.invalidRequest(
                "The model '\(model.name)' reads a pair as a conversation, which is never cut.",
                parameter: limit == nil ? "max_tokens_per_doc" : "truncate_prompt_tokens")
        }
        var encoded = Encoded()
        for (index, pair) in pairs.enumerated() {
            let reply: Wire.TokensReply
            if reading.isConversation {
                reply = try await render(pair, reading, instruction: request.instruction, model, scope)
            } else {
                reply = try await encode(
                    reading.instruction + pair.first, pair.second, request, limit: limit, model, scope)
            }
            try take(reply, "Pair \(index)", request, model, into: &encoded)
        }
        var call = Wire.ScoreRequest(model: model.base, inputs: encoded.inputs)
        call.tokenizerHash = encoded.hash
        return Scores(
            values: try await fleet.score(call, model: model, until: scope.deadline), tokens: encoded.tokens)
    }

    private func render(
        _ pair: (first: String, second: String), _ reading: Wire.PairReading, instruction: String?,
        _ model: ModelDescription, _ scope: RequestScope
    ) async throws -> Wire.TokensReply {
        var messages = [
            Wire.ChatMessage(role: "query", content: pair.first),
            Wire.ChatMessage(role: "document", content: pair.second),
        ]
        let instruction = instruction ?? reading.instruction
        if !instruction.isEmpty { messages.insert(Wire.ChatMessage(role: "system", content: instruction), at: 0) }
        return try await fleet.call(
            Wire.Tokenizer.renderChat,
            Wire.RenderChatRequest(
                model: model.base, messages: messages, addGenerationPrompt: reading.addsGenerationPrompt,
                pairTemplate: reading.promptTemplate), model: model, until: scope.deadline)
    }

    private func encode(
        _ first: String, _ second: String?, _ request: ScoredPairs, limit: Int?, _ model: ModelDescription,
        _ scope: RequestScope
    ) async throws -> Wire.TokensReply {
        let own = request.documentLimit.flatMap { UInt32(exactly: $0) }
        return try await fleet.encode(
            Wire.EncodeRequest(
                model: model.base, text: first, addSpecialTokens: true, pair: second,
                limit: limit.flatMap { UInt32(exactly: $0) }, pairLimit: second == nil ? nil : own), model: model,
            until: scope.deadline)
    }

    private func take(
        _ reply: Wire.TokensReply, _ place: String, _ request: ScoredPairs, _ model: ModelDescription,
        into encoded: inout Encoded
    ) throws {
        guard (1...model.contextLength).contains(reply.ids.count) else {
            throw APIError.invalidRequest(
                "\(place) has \(reply.ids.count) tokens; the model takes 1 to \(model.contextLength). "
                    + "'truncate_prompt_tokens' cuts texts.", parameter: request.fields.second,
                code: "context_length_exceeded")
        }
        encoded.tokens += reply.ids.count
        guard encoded.tokens <= EmbeddingRequest.tokenLimit else {
            throw APIError.invalidRequest(
                "The texts have more than \(EmbeddingRequest.tokenLimit) tokens together; send them in several requests.",
                parameter: request.fields.second)
        }
        if !reply.tokenizerHash.isEmpty {
            // A tokenizer was reloaded in between.
            guard encoded.hash.isEmpty || encoded.hash == reply.tokenizerHash else { throw APIError.notReady }
            encoded.hash = reply.tokenizerHash
        }
        encoded.inputs.append(Wire.TypedTokens(ids: reply.ids, types: reply.types))
    }

    // MARK: A model that embeds

    /// The cosine of the angle between the texts of each pair. Each text is embedded once.
    private func compared(
        _ pairs: [(first: String, second: String)], _ request: ScoredPairs, limit: Int?, _ model: ModelDescription,
        _ scope: RequestScope
    ) async throws -> Scores {
        guard request.documentLimit == nil else {
            throw APIError.invalidRequest(
                "'max_tokens_per_doc' is for models that read both texts together; 'truncate_prompt_tokens' cuts texts.",
                parameter: "max_tokens_per_doc")
        }
        var places: [String: Int] = [:]
        var encoded = Encoded()
        let prefix = model.embedding?.prompts.first { $0.name == model.embedding?.defaultPrompt }?.text ?? ""
        for text in pairs.flatMap({ [$0.first, $0.second] }) where places[text] == nil {
            places[text] = encoded.inputs.count
            let reply = try await encode(prefix + text, nil, request, limit: limit, model, scope)
            try take(reply, "A text", request, model, into: &encoded)
        }
        var call = Wire.EmbedRequest(model: model.base, inputs: encoded.inputs.map(\.ids))
        call.tokenizerHash = encoded.hash
        call.adapter = model.parent == nil ? "" : model.name
        call.normalizes = true
        let vectors = try await fleet.embed(call, model: model, until: scope.deadline)
        let values = pairs.map { pair -> Float in
            let first = vectors[places[pair.first] ?? 0], second = vectors[places[pair.second] ?? 0]
            return Float(zip(first, second).reduce(0.0) { $0 + Double($1.0) * Double($1.1) })
        }
        return Scores(values: values, tokens: encoded.tokens)
    }
}
