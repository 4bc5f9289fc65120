import Hummingbird
import Messages
import RPC

/// `POST /admin/models/{name}/reload`: what became of each replica.
struct ReloadResponse: Encodable, Sendable {
    struct Replica: Encodable, Sendable {
        var service: String
        var instance_id: String
        var address: String
        /// `reloaded`, `unchanged` (its files are the same), `failed`, or `not_tried` after one that failed.
        var outcome: String
        /// What new calls get there; nil where it is not known.
        var revision: String?
        var previous_revision: String?
        var seconds: Double?
        /// Why it failed.
        var message: String?
    }

    var model: String
    /// `reloaded`, `unchanged` or `failed`.
    var outcome: String
    var replicas: [Replica]
    /// The failure, as OpenAI's clients read it.
    var error: APIError.Body.Detail?
}

/// Putting a new revision of a model in the place of the one that is served, without a pause.
extension Fleet {
    /// Loading reads files and packs them.
    private static let reloadTimeout: Duration = .seconds(1_800)
    /// Until clients have asked what an instance has now: a few heartbeats.
    private static let describeTimeout: Duration = .seconds(5)

    /// Lets each replica of a model load what is at its place now, one after the other; first the tokenizers, which keep
    /// the old vocabulary beside the new one until the next reload. With the first that fails it ends.
    ///
    /// - Throws: `APIError` when there is no such model, it is an adapter or cut into shards, or a reload of it runs.
    func reload(_ name: String) async throws -> (response: ReloadResponse, error: APIError?) {
        let targets = try reloadTargets(name)
        guard reloading.withLock({ $0.insert(name).inserted }) else {
            throw APIError(
                status: .conflict, message: "'\(name.prefix(200))' is being reloaded.", type: "invalid_request_error",
                code: "reload_in_progress", retryAfter: 5)
        }
        defer { reloading.withLock { _ = $0.remove(name) } }
        var replicas: [ReloadResponse.Replica] = []
        var failure: APIError?
        for (client, instance) in targets {
            var replica = ReloadResponse.Replica(
                service: instance.description.service, instance_id: instance.id, address: instance.address,
                outcome: "not_tried")
            if failure == nil {
                do {
                    try await reload(name, client, &replica)
                } catch {
                    failure = APIError(reload: error)
                    (replica.outcome, replica.message) = ("failed", failure?.message)
                }
            }
            replicas.append(replica)
        }
        let hasChanged = replicas.contains { $0.outcome == "reloaded" }
        let outcome = failure != nil ? "failed" : hasChanged ? "reloaded" : "unchanged"
        return (ReloadResponse(model: name, outcome: outcome, replicas: replicas, error: failure?.body.error), failure)
    }

    /// The instances that have the model, in the order in which they are reloaded.
    private func reloadTargets(_ name: String) throws -> [(client: RPCClient, instance: Instance)] {
        func holders(_ client: RPCClient?) -> [(client: RPCClient, instance: Instance)] {
            guard let client else { return [] }
            return client.instances.filter { instance in
                instance.state == .ready && instance.description.models.contains { $0.name == name }
            }.map { (client, $0) }
        }
        guard let model = models[name] else { throw APIError.modelNotFound(name, known: models.keys.sorted()) }
        if let parent = model.parent {
            throw APIError.invalidRequest("'\(name)' is an adapter of '\(parent)': reload that.", parameter: "model")
        }
        let texts = holders(textModel)
        guard !texts.contains(where: { $0.instance.description.shardCount > 1 }) else {
            throw APIError(
                status: .notImplemented,
                message: "'\(name)' is cut into shards: such a model is not reloaded. Start a second set of its "
                    + "services on the new files beside the first, then stop the first.",
                type: "invalid_request_error", code: "reload_unsupported")
        }
        return model.modality == "text" ? holders(tokenizer) + texts : holders(diffusion)
    }

    private func reload(_ name: String, _ client: RPCClient, _ replica: inout ReloadResponse.Replica) async throws {
        let id = replica.instance_id
        var options = CallOptions(timeout: Self.reloadTimeout, instanceID: id)
        options.waitsForReady = false
        let reply = try await client.call(Wire.Revisions.reload, Wire.ReloadRequest(model: name), options).message
        replica.outcome = reply.revision == reply.previous ? "unchanged" : "reloaded"
        (replica.revision, replica.previous_revision) = (reply.revision, reply.previous)
        replica.seconds = (reply.duration / .milliseconds(1)).rounded() / 1_000
        // So that the next request finds what is new. An instance that has gone meanwhile is not waited for.
        _ = try? await client.waitUntil(timeout: Self.describeTimeout) { instances in
            instances.first { $0.id == id }.map { instance in
                instance.description.models.first { $0.name == name }?.revision == reply.revision
            } ?? true
        }
    }
}

extension APIError {
    /// Why a replica was not reloaded.
    fileprivate init(reload error: any Error) {
        let error = RPCError(converting: error)
        self.init(error)
        switch error.reason {
        case "insufficient_memory":
            (status, type, retryAfter) = (.init(code: 507, reasonPhrase: "Insufficient Storage"), "server_error", nil)
        case "invalid_checkpoint": (status, type, retryAfter) = (.unprocessableContent, "invalid_request_error", nil)
        case "reload_in_progress": (status, type, retryAfter) = (.conflict, "invalid_request_error", 5)
        case "reload_unsupported": (status, type) = (.notImplemented, "invalid_request_error")
        default: return
        }
        code = error.reason
    }
}
