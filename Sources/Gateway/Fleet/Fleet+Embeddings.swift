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
        var numericsID = model.numericsID
        var embeddings: [[Float]] = []
        while embeddings.count < request.inputs.count {
            do {
                var call = request
                call.inputs = Self.beginning(of: request.inputs[embeddings.count...])
                call.crashesWithoutProgress = attempts.losses.count
                var options = try await attempts.options(
                    numericsID: &numericsID, tokenizerHash: call.tokenizerHash, isUnderWay: !embeddings.isEmpty)
                options.cost = max(1, call.inputs.reduce(0) { $0 + $1.count })
                attempts.dispatched()
                let reply = try await textModel.call(Wire.TextModel.embed, call, options)
                embeddings += try reply.message.embeddings(reply.attachments, inputs: call.inputs.count)
                attempts.progressed()
            } catch {
                do { try await attempts.recover(from: error, isUnderWay: !embeddings.isEmpty) } catch let error
                    as RPCError
                {
                    throw APIError(error)
                }
            }
        }
        return embeddings
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
