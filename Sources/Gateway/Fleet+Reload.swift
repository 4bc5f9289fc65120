import Messages
import RPC

/// Loading a model again, so that new calls are answered by what now lies where it was loaded from.
extension Fleet {
    /// What one instance made of it.
    struct Reloaded: Sendable {
        var instance: Instance
        var reply: ReloadReply
    }

    /// Large checkpoints take minutes to read and pack.
    private static let reloadTimeout: Duration = .seconds(3600)
    private static let describeTimeout: Duration = .seconds(5)

    /// Loads a text model again in every ready instance of it, one after the other, and then its tokenizers' templates.
    /// Meanwhile both revisions serve; calls end where they have begun.
    ///
    /// - Returns: what each instance serves now. Instances that were lost meanwhile are left out: whoever takes their
    ///   place loads the new files anyway.
    /// - Throws: `APIError` with the first refusal; then the instances after it have not been asked.
    func reload(_ name: String) async throws -> [Reloaded] {
        let model = try model(name, modality: "text")
        guard let textModel, let tokenizer, model.parent == nil else {
            throw APIError.invalidRequest(
                "'\(name.prefix(200))' is an adapter; load it again under another name, or reload its model.",
                parameter: "model")
        }
        var reloaded: [Reloaded] = []
        for (client, method) in [(textModel, TextModelMethods.reload), (tokenizer, TokenizerMethods.reload)] {
            let instances = client.instances.filter { instance in
                instance.state == .ready && instance.description.models.contains { $0.name == name && !$0.isRetiring }
            }
            for instance in instances {
                if let reply = try await reload(name, method, client, instance, after: reloaded) {
                    reloaded.append(Reloaded(instance: instance, reply: reply))
                }
            }
        }
        let done = Dictionary(reloaded.map { ($0.instance.id, $0.reply.revision) }) { $1 }
        _ = try? await textModel.waitUntil(timeout: Self.describeTimeout) { current in
            current.allSatisfy { instance in
                guard let revision = done[instance.id] else { return true }
                return instance.description.models.contains { $0.revision == revision && !$0.isRetiring }
            }
        }
        return reloaded
    }

    private func reload(
        _ name: String, _ method: Method<ReloadRequest, ReloadReply>, _ client: RPCClient, _ instance: Instance,
        after done: [Reloaded]
    ) async throws -> ReloadReply? {
        let options = CallOptions(timeout: Self.reloadTimeout, instanceID: instance.id)
        do {
            return try await client.call(method, ReloadRequest(model: name), options).message
        } catch let error as RPCError where error.code == .unavailable || error.reason == "instance_mismatch" {
            return nil
        } catch {
            let error = RPCError(converting: error)
            let before = done.isEmpty ? "" : " \(done.count) instances before it serve the new files already."
            throw APIError(
                status: error.code == .internalError ? .internalServerError : .conflict,
                message: "The \(instance.description.service) at \(instance.address) goes on with what it had: "
                    + "\(error.message.hasSuffix(".") ? "\(error.message)" : error.message + ".")\(before)",
                type: "invalid_request_error", parameter: "model",
                code: error.reason.isEmpty ? nil : error.reason)
        }
    }
}
