import Messages
import RPC
import TextGeneration
import TextModels

extension TextRevision {
    /// Mean-pooled, of length 1.
    ///
    /// - Throws: `RPCError` that names the field at fault.
    func embed(_ message: Wire.EmbedRequest, _ context: ServerContext) async throws -> ServerReply<Wire.EmbedReply> {
        try check(model: message.model, tokenizerHash: message.tokenizerHash)
        guard (1...Wire.EmbedRequest.inputLimit).contains(message.inputs.count) else {
            throw RPCError(
                .invalidArgument, "\(message.inputs.count) texts; a call has 1 to \(Wire.EmbedRequest.inputLimit)",
                reason: "invalid_request", field: "input")
        }
        let hidden = engine.shape.hidden
        let width = message.dimensions.map { Int($0) } ?? hidden
        guard (1...hidden).contains(width) else {
            throw RPCError(
                .invalidArgument, "dimensions is \(width); the model's embeddings have \(hidden)",
                reason: "invalid_request", field: "dimensions")
        }
        let adapter = try adapter(message.adapter)
        let requests = try message.inputs.map { input in
            do throws(TextModelError) {
                return try GenerationRequest.embedding(
                    of: input, adapter: adapter, runsAlone: message.crashesWithoutProgress > 0, shape: engine.shape)
            } catch {
                throw RPCError(textModel: error)
            }
        }
        let embeddings = try await engine.embed(requests, context)
        guard embeddings.allSatisfy({ $0.allSatisfy { $0.isFinite } }) else {
            throw RPCError(
                .internalError, "the model's hidden states of this text are not finite", reason: "not_finite")
        }
        return ServerReply(
            Wire.EmbedReply(width: width),
            attachments: [Attachment(floats: embeddings.map { UnitVector.scaling($0, to: width) })])
    }
}
