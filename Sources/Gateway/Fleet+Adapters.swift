import Messages
import RPC

/// Loading and unloading LoRA adapters in every instance that serves their model.
extension Fleet {
    /// What became of a call to one instance. (Of a tuple in its place, mapped to another tuple, Swift 6.3.1 released the
    /// name too early in release builds.)
    private struct Outcome<Reply: Sendable>: Sendable {
        var instance: String
        var result: Result<Reply, RPCError>
    }

    /// Loading reads files and packs them.
    private static let adapterTimeout: Duration = .seconds(300)
    /// Until clients have asked what an instance has now: a few heartbeats.
    private static let describeTimeout: Duration = .seconds(5)

    /// Loads an adapter in every ready instance of its model, or in none.
    ///
    /// - Parameter base: the model; where nil, the only text model, or else the one that the adapter's configuration
    ///   names.
    /// - Throws: `APIError` when one of them refuses; those that had loaded it have forgotten it again.
    func loadAdapter(_ name: String, path: String, base: String?) async throws {
        let base = try baseModel(base, of: name)
        let instances = (textModel?.instances ?? []).filter { instance in
            instance.state == .ready && (base == nil || instance.description.models.contains { $0.name == base })
        }
        let request = Wire.LoadAdapterRequest(model: base ?? "", name: name, path: path)
        var outcomes = await call(Wire.TextModel.loadAdapter, request, instances.map(\.id))
        if base == nil { outcomes = try withoutOtherModels(outcomes) }
        guard !outcomes.isEmpty else {
            throw APIError(
                status: .serviceUnavailable, message: "No instance is ready to load the adapter.", type: "server_error",
                code: "server_is_overloaded", retryAfter: 1)
        }
        let replies = outcomes.compactMap { outcome in
            (try? outcome.result.get()).map { (instance: outcome.instance, reply: $0) }
        }
        do {
            for outcome in outcomes { _ = try outcome.result.get() }
            guard Set(replies.map(\.reply.contentID)).count == 1 else {
                throw APIError(
                    status: .conflict, message: "The instances have different adapters at '\(path.prefix(200))'.",
                    type: "invalid_request_error", parameter: "lora_path", code: "adapters_differ")
            }
        } catch {
            for (instance, reply) in replies where !reply.wasLoaded {
                let unload = Wire.UnloadAdapterRequest(model: reply.model, name: name)
                _ = await call(Wire.TextModel.unloadAdapter, unload, [instance])
            }
            throw (error as? RPCError).map { APIError(adapterUpdate: $0) } ?? error
        }
        if let model = replies.first?.reply.model {
            requestedAdapters.add(Wire.LoadAdapterRequest(model: model, name: name, path: path))
        }
        await waitUntilDescribed(name, isLoaded: true, in: replies.map(\.instance))
    }

    /// Unloads an adapter wherever it is.
    ///
    /// - Throws: `APIError` when no instance has it, or one cannot be reached.
    func unloadAdapter(_ name: String) async throws {
        let known = (textModel?.instances ?? []).compactMap { instance in
            instance.description.models.first { $0.name == name }?.parent.map { (instance: instance.id, parent: $0) }
        }
        guard let parent = known.first?.parent else {
            throw APIError(
                status: .notFound, message: "The lora adapter '\(name.prefix(200))' cannot be found.",
                type: "invalid_request_error", parameter: "lora_name", code: "adapter_not_found")
        }
        requestedAdapters.remove(name)
        let request = Wire.UnloadAdapterRequest(model: parent, name: name)
        for outcome in await call(Wire.TextModel.unloadAdapter, request, known.map(\.instance)) {
            do { _ = try outcome.result.get() } catch  where error.code == .notFound {
                // It is what was wanted.
            } catch {
                throw APIError(adapterUpdate: error)
            }
        }
        await waitUntilDescribed(name, isLoaded: false, in: known.map(\.instance))
    }

    /// - Returns: nil where several models come into question.
    private func baseModel(_ given: String?, of name: String) throws -> String? {
        let models = models
        if let taken = models[name], taken.parent == nil || given.map({ $0 != taken.parent }) == true {
            throw APIError.invalidRequest(
                "'\(name.prefix(200))' is the name of a model or of another model's adapter.", parameter: "lora_name")
        }
        let bases = models.values.filter { $0.modality == "text" && $0.parent == nil }.map(\.name).sorted()
        if let given {
            guard bases.contains(given) else {
                var error = APIError.modelNotFound(given, known: bases)
                error.parameter = "base_model"
                throw error
            }
            return given
        }
        return bases.count == 1 ? bases[0] : nil
    }

    /// Only the instances whose model the adapter's configuration names.
    private func withoutOtherModels<Reply>(_ outcomes: [Outcome<Reply>]) throws -> [Outcome<Reply>] {
        var refusal: RPCError?
        let own = outcomes.filter { outcome in
            guard case .failure(let error) = outcome.result, error.reason == "other_base_model" else { return true }
            refusal = error
            return false
        }
        if own.isEmpty, let refusal { throw APIError(adapterUpdate: refusal) }
        return own
    }

    private func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, _ instances: [String]
    ) async -> [Outcome<Reply>] {
        guard let textModel else { return [] }
        return await withTaskGroup(of: Outcome<Reply>.self) { group in
            for instance in instances {
                group.addTask {
                    let options = CallOptions(timeout: Self.adapterTimeout, instanceID: instance)
                    do {
                        let reply = try await textModel.call(method, request, options).message
                        return Outcome(instance: instance, result: .success(reply))
                    } catch {
                        return Outcome(instance: instance, result: .failure(RPCError(converting: error)))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// So that the next request finds what has just been changed. An instance that has gone meanwhile is not waited for.
    func waitUntilDescribed(_ name: String, isLoaded: Bool, in instances: [String]) async {
        _ = try? await textModel?.waitUntil(timeout: Self.describeTimeout) { current in
            current.filter { instances.contains($0.id) }.allSatisfy { instance in
                instance.description.models.contains { $0.name == name } == isLoaded
            }
        }
    }
}

extension APIError {
    /// What a text-model answered to the loading or unloading of an adapter.
    init(adapterUpdate error: RPCError) {
        self.init(error)
        parameter = ["path": "lora_path", "name": "lora_name", "model": "base_model"][error.field]
        switch error.code {
        case .alreadyExists, .failedPrecondition, .invalidArgument, .unimplemented:
            (status, type, retryAfter) = (.badRequest, "invalid_request_error", nil)
        case .resourceExhausted where error.reason == "adapter_limit":
            (status, type, retryAfter) = (.badRequest, "invalid_request_error", nil)
        case .notFound: break
        default: return
        }
        code = error.reason
    }
}
