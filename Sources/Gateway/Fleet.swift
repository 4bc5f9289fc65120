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
    let tokenizer: RPCClient?
    let textModel: RPCClient?
    /// nil where no pictures are drawn.
    private let diffusion: RPCClient?
    /// The later shards of text-models that are cut, for whoever looks at them: only the first shard calls them.
    private let textShards: [RPCClient]

    /// Every model that has ever been seen: a model whose last instance has gone is waited for, not denied.
    private let remembered = Remembered()
    let refusals = RecentRefusals()
    let counters = CallCounters()

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
        return Dictionary(described.map { ($0.name, $0) }) { first, next in first.isRetiring ? next : first }
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

    /// Calls a tokenizer, another one when it is lost: its methods may be called twice.
    ///
    /// - Throws: `APIError`.
    func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, model: String, until deadline: ContinuousClock.Instant
    ) async throws -> Reply {
        guard let tokenizer else { throw APIError.modelNotFound(model, known: models.keys.sorted()) }
        var attempts = CallAttempts(tokenizer, model: model, until: deadline, counters)
        do {
            while true {
                do {
                    return try await tokenizer.call(method, request, attempts.options()).message
                } catch let error as RPCError {
                    switch try attempts.outcome(of: error) {
                    case .failed: throw error
                    case .refused: try await attempts.refused(error, by: nil, isUnderWay: false)
                    case .lost: counters.countMigrated()
                    }
                }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// Starts the generations of one request, a call for each prompt, and waits for the first delta of each, so that a
    /// refusal comes before any answer has begun.
    ///
    /// - Throws: `APIError` when the text-model refuses, or the deadline passes.
    func generate(
        _ calls: [GenerateRequest], model: ModelDescription, idPrefix: String, until deadline: ContinuousClock.Instant
    ) async throws -> Generation {
        guard let textModel else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        // The same for all prompts, as far as it has instances.
        let numericsID = numericsID(of: model, among: textModel)
        var parts: [Generation.Part] = []
        do {
            for call in calls {
                let attempts = CallAttempts(textModel, model: model.name, until: deadline, counters)
                var generation = ResumableGeneration(call, numericsID: numericsID, attempts)
                try await generation.begin()
                parts.append(Generation.Part(call: generation))
            }
            for index in parts.indices { parts[index].first = try await parts[index].call.next() }
        } catch let error as RPCError {
            noteRefusal(error, model, until: deadline)
            throw APIError(error)
        }
        return Generation(
            id: idPrefix + ServiceDescription.newInstanceID(), created: Int(Date().timeIntervalSince1970),
            model: model.name, fingerprint: "fp_" + (parts.first?.call.numericsID ?? numericsID).prefix(12),
            choicesOfEach: Int(calls.first?.n ?? 1), parts: parts)
    }

    /// A drawing; what the service refuses comes with its first update.
    ///
    /// - Throws: `APIError` where no pictures are drawn.
    func draw(
        _ request: DrawRequest, model: ModelDescription, until deadline: ContinuousClock.Instant
    ) throws -> ResumableDrawing {
        guard let diffusion else { throw APIError.modelNotFound(request.model, known: models.keys.sorted()) }
        return ResumableDrawing(
            request, numericsID: numericsID(of: model, among: diffusion),
            CallAttempts(diffusion, model: request.model, until: deadline, counters))
    }

    /// Where models of one name differ, each gets its share.
    private func numericsID(of model: ModelDescription, among client: RPCClient) -> String {
        let ids = client.instances.filter { $0.state == .ready }.flatMap(\.description.models)
            .filter { $0.name == model.name && !$0.isRetiring }.map(\.numericsID)
        return ids.randomElement() ?? model.numericsID
    }
}
