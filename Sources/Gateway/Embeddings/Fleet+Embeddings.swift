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
        guard let textModel else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        var attempts = CallAttempts(textModel, model: model.name, until: deadline, counters)
        var (numericsID, losses) = (model.numericsID, CallLosses())
        var embeddings: [[Float]] = []
        while embeddings.count < request.inputs.count {
            do {
                var call = request
                call.inputs = Self.beginning(of: request.inputs[embeddings.count...])
                call.crashesWithoutProgress = losses.count
                var options: CallOptions
                if embeddings.isEmpty {
                    numericsID = try await attempts.numericsIDAtHand(numericsID, tokenizerHash: call.tokenizerHash)
                    options = try attempts.options(numericsID: numericsID)
                    // Where nothing binds the call to the id, others are looked at soon.
                    options.readyTimeout = min(options.readyTimeout, .seconds(1))
                } else {
                    options = try attempts.optionsUnderWay(numericsID: numericsID)
                }
                options.cost = max(1, call.inputs.reduce(0) { $0 + $1.count })
                losses.dispatched()
                let reply = try await textModel.call(Wire.TextModel.embed, call, options)
                embeddings += try reply.message.embeddings(reply.attachments, inputs: call.inputs.count)
                losses.progressed()
            } catch {
                try await recover(
                    from: RPCError(converting: error), &attempts, &losses, isUnderWay: !embeddings.isEmpty)
            }
        }
        return embeddings
    }

    private func recover(
        from error: RPCError, _ attempts: inout CallAttempts, _ losses: inout CallLosses, isUnderWay: Bool
    ) async throws {
        do {
            switch try attempts.outcome(of: error) {
            case .failed: throw error
            case .refused: try await attempts.refused(error, by: nil, isUnderWay: isUnderWay)
            case .lost: try attempts.lost(&losses)
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// As many texts as make a call, one at least.
    private static func beginning(of inputs: ArraySlice<[Int32]>) -> [[Int32]] {
        var tokens = 0
        return Array(
            inputs.prefix(Wire.EmbedRequest.inputLimit).prefix { input in
                defer { tokens += input.count }
                return tokens == 0 || tokens + input.count <= tokensOfCall
            })
    }
}
