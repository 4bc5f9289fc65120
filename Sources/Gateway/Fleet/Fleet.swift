import Foundation
import Messages
package import RPC
import Synchronization

/// A set of names; each name has at most one holder.
final class ReloadSet: Sendable {
    private let names = Mutex<Set<String>>([])

    func withLock<Result: Sendable>(_ body: (inout Set<String>) -> Result) -> Result { names.withLock { body(&$0) } }
}

extension ModelDescription {
    /// The name of the model that the tokenizers know: an adapter's is its parent's.
    var base: String { parent ?? name }
}

/// The services behind the gateway.
package struct Fleet: Sendable {
    /// nil where no text is generated.
    let tokenizer: RPCClient?
    let textModel: RPCClient?
    /// nil where no pictures are drawn.
    let diffusion: RPCClient?
    /// nil where nothing is trained.
    let trainer: RPCClient?
    /// The later shards of text-models that are cut, for status and metrics: only the first shard calls them.
    private let textShards: [RPCClient]
    let counters = CallCounters()
    /// The names of models that are being reloaded.
    let reloading = ReloadSet()
    let requestedAdapters = RequestedAdapters()

    /// Models without which the gateway is not ready.
    package var expectedModels: Set<String> = []

    private let catalogue = Catalogue()
    let refusals = RecentRefusals()

    package init(
        tokenizer: RPCClient? = nil, textModel: RPCClient? = nil, diffusion: RPCClient? = nil,
        textShards: [RPCClient] = [], trainer: RPCClient? = nil
    ) {
        (self.tokenizer, self.textModel, self.diffusion) = (tokenizer, textModel, diffusion)
        (self.textShards, self.trainer) = (textShards, trainer)
    }

    /// What instances have now.
    private var contents: Catalogue.Contents {
        catalogue.contents(
            text: textModel, pictures: diffusion, tokenizer: tokenizer, kept: requestedAdapters)
    }

    /// Every model that some instance serves, by name.
    var models: [String: ModelDescription] { contents.served }

    /// Whether every service that the gateway was given has an instance, and every model that is expected is served.
    var isReady: Bool { whatIsMissing == nil }

    /// What the gateway waits for, in words; nil where it is ready.
    var whatIsMissing: String? {
        // Where models are named they say all that there is to say of the services that have them.
        let models = [("text-model", textModel), ("diffusion", diffusion)]
        for (name, client) in [("tokenizer", tokenizer)] + (expectedModels.isEmpty ? models : [])
        where client?.instances.isEmpty == true {
            return "the service \(name) has no instance yet"
        }
        if expectedModels.isEmpty { return nil }
        let missing = expectedModels.subtracting(self.models.keys).sorted()
        return missing.isEmpty ? nil : "not served yet: \(missing.joined(separator: ", "))"
    }

    /// Every instance that has described itself.
    var instances: [Instance] {
        ([tokenizer, textModel, diffusion] + textShards + [trainer]).flatMap { $0?.instances ?? [] }
    }

    /// The revision of a model that a request is for. Where instances have different ones, each gets its share, if there
    /// is a tokenizer for it.
    ///
    /// - Parameters:
    ///   - modalities: `text`, `image`: what the request can be answered with.
    ///   - revision: the beginning of the one that is meant; nil for any.
    /// - Throws: `APIError`: no such model, or one of another kind.
    func model(_ name: String, modalities: Set<String>, revision: String? = nil) throws -> ModelDescription {
        let contents = contents
        guard let model = contents.known[name] else {
            if expectedModels.contains(name) { throw APIError.modelNotReady(name) }
            guard [tokenizer, textModel, diffusion].allSatisfy({ $0?.instances.isEmpty != true }) else {
                throw APIError.notReady
            }
            throw APIError.modelNotFound(name, known: contents.known.keys.sorted())
        }
        guard modalities.contains(model.modality) else {
            let place = model.modality == "image" ? "/v1/images/generations" : "/v1/chat/completions"
            throw APIError.invalidRequest(
                "The model '\(name)' makes \(model.modality), not \(modalities.sorted().joined(separator: " or ")); "
                    + "send it to \(place).",
                parameter: "model")
        }
        var revisions = contents.ready[name] ?? []
        if let revision { revisions.removeAll { !$0.revision.hasPrefix(revision) } }
        if let revision, revisions.isEmpty {
            throw APIError(
                status: .notFound, message: "No instance serves the revision '\(revision)' of '\(name)'.",
                type: "invalid_request_error", parameter: "model", code: "model_not_found")
        }
        let usable = revisions.filter { contents.hasTokenizer($0.tokenizerHash, for: $0.base) }
        let candidates = usable.isEmpty ? revisions : usable
        return (candidates.count > 1 ? candidates.randomElement() : candidates.first) ?? model
    }

    /// Calls a tokenizer, another one when it is lost: its methods may be called twice.
    ///
    /// - Parameter model: the revision whose vocabulary is meant.
    /// - Throws: `APIError`.
    func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, model: ModelDescription,
        until deadline: ContinuousClock.Instant
    ) async throws -> Reply {
        guard let tokenizer else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        var attempts = CallAttempts(tokenizer, model: model.base, until: deadline, counters, isHarmless: true)
        do {
            while true {
                do {
                    // Where none has that vocabulary, the text-model refuses the ids.
                    let hash = model.tokenizerHash
                    let isThere = !hash.isEmpty && contents.hasTokenizer(hash, for: model.base)
                    let options = try attempts.options(numericsID: isThere ? hash : nil)
                    return try await tokenizer.call(method, request, options).message
                } catch let error as RPCError {
                    try await attempts.recover(from: error, isUnderWay: false)
                }
            }
        } catch let error as RPCError {
            throw APIError(error)
        }
    }

    /// Starts the calls of one request, and waits for the first delta of each.
    ///
    /// - Parameter restored: what another gateway has received of the only call; nil where it begins here.
    /// - Throws: `APIError` when the text-model refuses, or the deadline passes.
    func generate(
        _ calls: [Wire.GenerateRequest], model: ModelDescription, restored: RestoredAnswer? = nil,
        cacheKey: String? = nil, until deadline: ContinuousClock.Instant
    ) async throws -> [Generation.Part] {
        guard let textModel else { throw APIError.modelNotFound(model.name, known: models.keys.sorted()) }
        var parts: [Generation.Part] = []
        do {
            for call in calls {
                let attempts = CallAttempts(textModel, model: model.name, until: deadline, counters)
                // The same for all prompts, as far as it has instances.
                var generation = ResumableGeneration(
                    call, numericsID: restored?.start?.numericsID ?? model.numericsID, attempts, cacheKey: cacheKey)
                if let restored { try generation.restore(restored.received) }
                try await generation.begin()
                parts.append(Generation.Part(call: generation))
            }
            for index in parts.indices { parts[index].first = try await parts[index].call.next() }
        } catch let error as RPCError {
            noteRefusal(error, of: calls, model, until: deadline)
            throw APIError(error)
        }
        return parts
    }

    /// A drawing; what the service refuses comes with its first update.
    ///
    /// - Parameter labeller: puts the labels into each picture before anybody sees it.
    /// - Throws: `APIError` where no pictures are drawn.
    func draw(
        _ request: Wire.DrawRequest, model: ModelDescription, labeller: PictureLabeller,
        until deadline: ContinuousClock.Instant
    ) throws -> ResumableDrawing {
        guard let diffusion else { throw APIError.modelNotFound(request.model, known: models.keys.sorted()) }
        return ResumableDrawing(
            request, numericsID: model.numericsID,
            CallAttempts(diffusion, model: request.model, until: deadline, counters), labeller: labeller)
    }
}
