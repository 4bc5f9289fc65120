import Foundation
import Messages
package import RPC

/// One generation under way: the text of its choices as it comes, and what is known of it as a whole.
struct Generation: Sendable {
    let id: String
    let created: Int
    let model: String
    /// Changes when the arithmetic behind the model does.
    let fingerprint: String
    let promptTokens: Int
    let choices: Int
    let replies: ReplyStream<GenerateDelta>

    /// All deltas at once, joined by choice.
    ///
    /// - Throws: `APIError`.
    func collect() async throws -> (texts: [(text: String, finishReason: String?)], tokens: Int) {
        var texts = [(text: String, finishReason: String?)](repeating: ("", nil), count: choices)
        var tokens = 0
        do {
            while let reply = try await replies.next() {
                let delta = reply.message
                let choice = Int(delta.choice)
                guard texts.indices.contains(choice) else { continue }
                texts[choice].text += delta.text
                if delta.token != nil { tokens += 1 }
                if !delta.finishReason.isEmpty { texts[choice].finishReason = delta.finishReason }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
        return (texts, tokens)
    }
}

/// The services behind the gateway.
package struct Fleet: Sendable {
    let tokenizer: RPCClient
    let textModel: RPCClient

    package init(tokenizer: RPCClient, textModel: RPCClient) {
        (self.tokenizer, self.textModel) = (tokenizer, textModel)
    }

    /// Every model that some ready instance serves, by name.
    var models: [String: ModelDescription] {
        let described = textModel.instances.flatMap { $0.description.models }
        return Dictionary(described.map { ($0.name, $0) }) { first, _ in first }
    }

    func model(_ name: String) throws -> ModelDescription {
        let models = models
        guard let model = models[name] else { throw APIError.modelNotFound(name, known: models.keys.sorted()) }
        return model
    }

    func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, model: String
    ) async throws -> Reply {
        do {
            let options = CallOptions(timeout: .seconds(30)) { $0.models.contains { $0.name == model } }
            return try await tokenizer.call(method, request, options).message
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// Starts a generation.
    ///
    /// - Throws: `APIError` when no instance takes the call; what the text-model refuses comes with the first reply.
    func generate(_ request: GenerateRequest, model: ModelDescription, idPrefix: String) async throws -> Generation {
        do {
            var options = CallOptions(timeout: .seconds(600)) { $0.models.contains { $0.name == model.name } }
            options.cost = max(1, Int(request.maxTokens))
            let replies = try await textModel.stream(TextModelMethods.generate, request, options)
            return Generation(
                id: idPrefix + ServiceDescription.newInstanceID(), created: Int(Date().timeIntervalSince1970),
                model: model.name, fingerprint: "fp_" + model.numericsID.prefix(12),
                promptTokens: request.prompt.count, choices: Int(request.n), replies: replies)
        } catch let error as RPCError {
            throw APIError(error)
        }
    }
}
