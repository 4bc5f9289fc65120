import Foundation
import Hummingbird
import Messages
import RPC

/// `POST /v1/embeddings`.
struct EmbeddingsRoute: RouteGroup {
    let pipeline: RequestPipeline
    let models: ModelRouter
    let prompts: PromptReader
    let fleet: Fleet

    func addRoutes(to router: Router<GatewayContext>) {
        router.post("/v1/embeddings") { try await pipeline.run(.generation, $0, $1, answer) }
    }

    private func answer(_ data: Data, _ scope: RequestScope) async throws -> Response {
        let request = try JSONRequest.decode(EmbeddingRequest.self, from: data, refusing: .embeddings)
        return try await embed(request, scope) { embeddings, model, count in
            Self.response(
                embeddings, as: request.form ?? .float,
                EmbeddingEnd(model: model.name, usage: .init(prompt_tokens: count, total_tokens: count)))
        }
    }

    /// - Parameter body: makes the answer of the embeddings, of whose texts it is told how many tokens they have.
    /// - Throws: `APIError`.
    func embed(
        _ request: EmbeddingRequest, _ scope: RequestScope,
        _ body: ([[Float]], ModelDescription, Int) -> Response
    ) async throws -> Response {
        try request.check()
        return try await models.answer(
            request.routing, preset: nil, modalities: ["text"], tasks: [.embed], scope
        ) { model, _, scope in
            try fleet.admit(model, tokens: 0, until: scope.deadline)
            let (inputs, hash) = try await tokens(of: request, model, scope)
            var call = Wire.EmbedRequest(model: model.base, inputs: inputs)
            call.tokenizerHash = hash
            call.adapter = model.parent == nil ? "" : model.name
            call.dimensions = request.dimensions.flatMap { UInt32(exactly: $0) }
            call.normalizes = request.normalize
            let embeddings = try await fleet.embed(call, model: model, until: scope.deadline)
            let count = inputs.reduce(0) { $0 + $1.count }
            scope.record.began("embd-" + ServiceDescription.newInstanceID(), promptTokens: count)
            scope.record.finished("stop")
            return body(embeddings, model, count)
        }
    }

    /// Each text as ids, after the filter, and the tokenizer's hash.
    private func tokens(
        of request: EmbeddingRequest, _ model: ModelDescription, _ scope: RequestScope
    ) async throws -> (inputs: [[Int32]], tokenizerHash: String) {
        var inputs: [[Int32]] = []
        var (hash, total) = ("", 0)
        let prefix = try request.prefix(for: model)
        let limit = try TextLimit.tokens(request.truncate_prompt_tokens, of: model)
        for (index, prompt) in request.inputs.prompts.enumerated() {
            var passed = try await prompts.filtered(prompt, from: "input", model: model, scope)
            switch passed {
            case .text(let text): passed = .text(prefix + text)
            case .tokens:
                // They are taken as they are.
                guard request.prompt_name == nil, request.input_type == nil else {
                    throw APIError.invalidRequest(
                        "Nothing can be written before token ids; give texts.",
                        parameter: request.prompt_name == nil ? "input_type" : "prompt_name")
                }
            }
            let reply = try await prompts.encode(passed, limit: limit, model: model, until: scope.deadline)
            guard (1...model.contextLength).contains(reply.ids.count) else {
                throw APIError.invalidRequest(
                    "Text \(index) of 'input' has \(reply.ids.count) tokens; the model takes 1 to "
                        + "\(model.contextLength). 'truncate_prompt_tokens' cuts texts.", parameter: "input",
                    code: reply.ids.isEmpty ? nil : "context_length_exceeded")
            }
            total += reply.ids.count
            guard total <= EmbeddingRequest.tokenLimit else {
                throw APIError.invalidRequest(
                    "'input' has more than \(EmbeddingRequest.tokenLimit) tokens; send it in several requests.",
                    parameter: "input")
            }
            if !reply.tokenizerHash.isEmpty {
                // A tokenizer was reloaded in between.
                guard [hash, reply.tokenizerHash].contains("") || hash == reply.tokenizerHash else {
                    throw APIError.notReady
                }
                hash = reply.tokenizerHash
            }
            inputs.append(reply.ids)
        }
        return (inputs, hash)
    }

    /// OpenAI's list, written text by text: all of them as JSON would be several times as large as their numbers.
    private static func response(
        _ embeddings: [[Float]], as form: EmbeddingRequest.Form, _ end: EmbeddingEnd
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody { writer in
                try await writer.write(ByteBuffer(string: #"{"data":["#))
                for (index, embedding) in embeddings.enumerated() {
                    let item = EmbeddingItem(index: index, embedding: .init(embedding, as: form))
                    var piece = ByteBuffer(string: index == 0 ? "" : ",")
                    piece.writeBytes(try JSONResponse.encoded(item))
                    try await writer.write(piece)
                }
                // The rest of the object, without its brace.
                var rest = ByteBuffer(string: "],")
                rest.writeBytes(try JSONResponse.encoded(end).dropFirst())
                try await writer.write(rest)
                try await writer.finish(nil)
            })
    }
}
