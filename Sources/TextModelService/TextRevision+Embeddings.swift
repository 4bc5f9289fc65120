import Messages
import RPC
import TextGeneration
import TextModels

extension TextRevision {
    /// Embeddings as the model's files say, or of length 1 where that is asked for.
    ///
    /// - Throws: `RPCError` that names the field at fault.
    func embed(_ message: Wire.EmbedRequest, _ context: ServerContext) async throws -> ServerReply<Wire.EmbedReply> {
        try check(model: message.model, tokenizerHash: message.tokenizerHash)
        try check(inputs: message.inputs.count)
        let width = try width(message.dimensions)
        let adapter = try adapter(message.adapter)
        let requests = try message.inputs.map { input in
            do throws(TextModelError) {
                return try GenerationRequest.embedding(
                    of: input, adapter: adapter, runsAlone: message.crashesWithoutProgress > 0, shape: engine.shape)
            } catch {
                throw RPCError(textModel: error)
            }
        }
        let embeddings = try await engine.read(requests, context)
        guard embeddings.allSatisfy({ $0.allSatisfy { $0.isFinite } }) else { throw RPCError.notFinite }
        // What is cut is scaled in any case: a part has no length of its own.
        let isWhole = width == engine.abilities.embeddingWidth
        let isUnit = message.normalizes ?? engine.abilities.files.isNormalized || !isWhole
        return ServerReply(
            Wire.EmbedReply(width: width),
            attachments: [
                Attachment(floats: isUnit ? embeddings.map { UnitVector.scaling($0, to: width) } : embeddings)
            ])
    }

    /// How many numbers of an embedding are wanted.
    private func width(_ dimensions: UInt32?) throws -> Int {
        let whole = engine.abilities.embeddingWidth
        guard let width = dimensions.map({ Int($0) }), width != whole else { return whole }
        func refused(_ why: String) -> RPCError {
            RPCError(
                .invalidArgument, "dimensions is \(width); \(why)", reason: "invalid_request", field: "dimensions")
        }
        guard (1...whole).contains(width) else { throw refused("the model's embeddings have \(whole)") }
        switch engine.abilities.files.dimensions {
        case .any: return width
        case .some(let sizes) where sizes.contains(width): return width
        case .some(let sizes): throw refused("the model's may be cut to \(sizes) or have all \(whole)")
        case .all:
            throw refused(
                "the model's embeddings have \(whole), and its config.json does not say that they may be cut "
                    + "(\"is_matryoshka\": true, or \"matryoshka_dimensions\")")
        }
    }

    /// A number for each text or pair of texts.
    ///
    /// - Throws: `RPCError` that names the field at fault.
    func score(_ message: Wire.ScoreRequest, _ context: ServerContext) async throws -> Wire.ScoreReply {
        try check(model: message.model, tokenizerHash: message.tokenizerHash)
        try check(inputs: message.inputs.count)
        let requests = try message.inputs.map { input in
            do throws(TextModelError) {
                return try GenerationRequest.score(
                    of: input.ids, types: input.types, tokenTypes: engine.tokenTypes,
                    runsAlone: message.crashesWithoutProgress > 0, shape: engine.shape)
            } catch {
                throw RPCError(textModel: error)
            }
        }
        let scores = try await engine.read(requests, context).map { $0.first ?? .nan }
        guard scores.allSatisfy(\.isFinite) else { throw RPCError.notFinite }
        return Wire.ScoreReply(scores: scores)
    }

    private func check(inputs count: Int) throws {
        guard (1...Wire.EmbedRequest.inputLimit).contains(count) else {
            throw RPCError(
                .invalidArgument, "\(count) texts; a call has 1 to \(Wire.EmbedRequest.inputLimit)",
                reason: "invalid_request", field: "input")
        }
    }
}

extension RPCError {
    fileprivate static let notFinite = RPCError(
        .internalError, "the model's states of this text are not finite", reason: "not_finite")
}
