import Messages
import RPC

extension Fleet {
    /// Tokens of one call, about: a call is lost as a whole.
    private static let tokensOfCall = 8_192

    /// The embeddings of all the request's texts, some at a time. A call that is lost is made again on another instance;
    /// all are made by the same weights.
    ///
    /// - Throws: `APIError` when the text-model refuses, or the deadline passes.
    func embed(
        _ request: Wire.EmbedRequest, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> [[Float]] {
        try await inCalls(
            request.inputs, tokens: \.count, request.tokenizerHash, model: model, until: deadline
        ) { textModel, inputs, losses, options in
            var call = request
            (call.inputs, call.crashesWithoutProgress) = (inputs, losses)
            let reply = try await textModel.call(Wire.TextModel.embed, call, options)
            return try reply.message.embeddings(reply.attachments, inputs: inputs.count)
        }
    }

    /// A score of each of the request's texts, as ``embed(_:model:until:)``.
    ///
    /// - Throws: `APIError` when the text-model refuses, or the deadline passes.
    func score(
        _ request: Wire.ScoreRequest, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) async throws -> [Float] {
        try await inCalls(
            request.inputs, tokens: \.ids.count, request.tokenizerHash, model: model, until: deadline
        ) { textModel, inputs, losses, options in
            var call = request
            (call.inputs, call.crashesWithoutProgress) = (inputs, losses)
            let scores = try await textModel.call(Wire.TextModel.score, call, options).message.scores
            guard scores.count == inputs.count, scores.allSatisfy(\.isFinite) else {
                throw RPCError(.internalError, "\(scores.count) scores of \(inputs.count) texts")
            }
            return scores
        }
    }

    /// What calls of some inputs each give for all of them, in their order.
    private func inCalls<Input, Result>(
        _ inputs: [Input], tokens: (Input) -> Int, _ tokenizerHash: String, model: ModelDescription,
        until deadline: ContinuousClock.Instant,
        _ call: (RPCClient, [Input], _ losses: UInt32, CallOptions) async throws -> [Result]
    ) async throws -> [Result] {
        guard let textModel else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        var attempts = CallAttempts(textModel, model: model.name, until: deadline, counters)
        var numericsID = model.numericsID
        var results: [Result] = []
        while results.count < inputs.count {
            do {
                let own = Self.beginning(of: inputs[results.count...], tokens: tokens)
                let losses = attempts.losses.count
                var options = try await attempts.options(
                    numericsID: &numericsID, tokenizerHash: tokenizerHash, isUnderWay: !results.isEmpty)
                options.cost = max(1, own.reduce(0) { $0 + tokens($1) })
                attempts.dispatched()
                results += try await call(textModel, own, losses, options)
                attempts.progressed()
            } catch {
                do { try await attempts.recover(from: error, isUnderWay: !results.isEmpty) } catch let error as RPCError
                {
                    throw APIError(error)
                }
            }
        }
        return results
    }

    /// As many inputs as make a call, one at least.
    private static func beginning<Input>(of inputs: ArraySlice<Input>, tokens: (Input) -> Int) -> [Input] {
        var total = 0
        return Array(
            inputs.prefix(Wire.EmbedRequest.inputLimit).prefix { input in
                defer { total += tokens(input) }
                return total == 0 || total + tokens(input) <= tokensOfCall
            })
    }
}
