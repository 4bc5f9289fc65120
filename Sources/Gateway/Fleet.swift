import Foundation
import Messages
package import RPC
import Synchronization

/// Descriptions of models by name, the latest of each.
private final class Remembered: Sendable {
    private let models = Mutex<[String: ModelDescription]>([:])

    func merged(with current: [String: ModelDescription]) -> [String: ModelDescription] {
        models.withLock { models in
            models.merge(current) { $1 }
            // An adapter whose model is there without it was unloaded, and does not come back by itself.
            models = models.filter { name, model in
                guard let parent = model.parent else { return true }
                return current[name] != nil || current[parent] == nil
            }
            return models
        }
    }
}

extension ModelDescription {
    /// The name of the model that the tokenizers know: an adapter's is its parent's.
    var base: String { parent ?? name }
}

/// The services behind the gateway.
package struct Fleet: Sendable {
    /// nil where no text is made.
    private let tokenizer: RPCClient?
    let textModel: RPCClient?
    /// nil where no pictures are drawn.
    private let diffusion: RPCClient?
    /// The later shards of text-models that are cut, for whoever looks at them: only the first shard calls them.
    private let textShards: [RPCClient]

    /// Every model that has ever been seen: a model whose last instance has gone is waited for, not denied.
    private let remembered = Remembered()

    /// What a request may take when its client names no deadline.
    static let timeout: Duration = .seconds(600)

    /// How a call for one model is made: without an instance it waits for one.
    private func options(for model: String, timeout: Duration = Fleet.timeout) -> CallOptions {
        var options = CallOptions(timeout: timeout) { $0.models.contains { $0.name == model } }
        options.readyTimeout = .seconds(60)
        return options
    }

    package init(
        tokenizer: RPCClient? = nil, textModel: RPCClient? = nil, diffusion: RPCClient? = nil,
        textShards: [RPCClient] = []
    ) {
        (self.tokenizer, self.textModel, self.diffusion) = (tokenizer, textModel, diffusion)
        self.textShards = textShards
    }

    /// Every model that some ready instance serves, by name.
    var models: [String: ModelDescription] {
        let described = [textModel, diffusion].flatMap { $0?.instances ?? [] }.flatMap { $0.description.models }
        return Dictionary(described.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Whether every service that the gateway was given has an instance.
    var isReady: Bool { [tokenizer, textModel, diffusion].allSatisfy { $0?.instances.isEmpty != true } }

    /// Every instance that has described itself.
    var instances: [Instance] {
        ([tokenizer, textModel, diffusion] + textShards).flatMap { $0?.instances ?? [] }
    }

    /// - Parameter modality: `text` or `image`, what the request is about.
    /// - Throws: `APIError`: no such model, or one of another kind.
    func model(_ name: String, modality: String) throws -> ModelDescription {
        let models = remembered.merged(with: models)
        guard let model = models[name] else {
            guard isReady else {
                throw APIError(
                    status: .serviceUnavailable, message: "Not every service has an instance yet.",
                    type: "server_error", code: "server_is_overloaded", retryAfter: 1)
            }
            throw APIError.modelNotFound(name, known: models.keys.sorted())
        }
        guard model.modality == modality else {
            let place = model.modality == "image" ? "/v1/images/generations" : "/v1/chat/completions"
            throw APIError.invalidRequest(
                "The model '\(name)' makes \(model.modality), not \(modality); send it to \(place).",
                parameter: "model")
        }
        return model
    }

    func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, model: String
    ) async throws -> Reply {
        guard let tokenizer else { throw APIError.modelNotFound(model, known: models.keys.sorted()) }
        do {
            return try await tokenizer.call(method, request, options(for: model, timeout: .seconds(60))).message
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// Starts the generations of one request, a call for each prompt.
    ///
    /// - Throws: `APIError` when no instance takes a call; what the text-model refuses comes with the first delta.
    func generate(_ calls: [GenerateRequest], model: ModelDescription, idPrefix: String) async throws -> Generation {
        guard let textModel else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        do {
            var options = options(for: model.name)
            var streams: [ReplyStream<GenerateDelta>] = []
            for call in calls {
                options.cost = max(1, Int(call.maxTokens))
                streams.append(try await textModel.stream(TextModelMethods.generate, call, options))
            }
            return Generation(
                id: idPrefix + ServiceDescription.newInstanceID(), created: Int(Date().timeIntervalSince1970),
                model: model.name, fingerprint: "fp_" + model.numericsID.prefix(12),
                prompts: calls.map { $0.prompt }, choicesOfEach: Int(calls.first?.n ?? 1), streams: streams)
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// Starts a drawing.
    ///
    /// - Throws: `APIError` when no instance takes the call; what the service refuses comes with the first update.
    func draw(_ request: DrawRequest) async throws -> ReplyStream<DrawUpdate> {
        guard let diffusion else {
            throw APIError.modelNotFound(request.model, known: models.keys.sorted())
        }
        do {
            var options = options(for: request.model)
            options.cost = max(1, Int(request.steps ?? 50) * request.seeds.count)
            return try await diffusion.stream(DiffusionMethods.draw, request, options)
        } catch let error as RPCError {
            throw APIError(error)
        }
    }
}
