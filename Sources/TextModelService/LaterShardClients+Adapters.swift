import Layers
import Messages
import RPC
import TextModels

// Adapters of a model whose layers are in several processes: each has its layers' part. An adapter that comes by request is
// loaded everywhere before a request may name it, and stays in the other processes for as long as a request has it here.
extension LaterShardClients {
    /// What the later shards have of an adapter.
    struct Held: Sendable {
        var contentID: String
        /// The later shards forget the adapter with it.
        var lease: AdapterLease
    }

    /// Reading files and packing them.
    private static let loadTimeout: Duration = .seconds(300)

    /// Loads an adapter in every replica of every shard.
    ///
    /// - Throws: `RPCError` that says which layers are at fault: UNAVAILABLE where nobody has them; FAILED_PRECONDITION
    ///   where they have different adapters at the path; and what a shard refuses with.
    func load(_ request: Wire.LoadAdapterRequest) async throws -> Held {
        let request = numbered(request)
        // Whatever fails, those that have loaded it forget it.
        let lease = AdapterLease { [weak self] in self?.forget(request) }
        var contents: Set<String> = []
        for (shard, layers) in layers.enumerated() {
            let replicas = replicas(of: shard)
            guard !replicas.isEmpty else {
                throw RPCError(
                    .unavailable, "no process with layers \(layers.lowerBound)-\(layers.upperBound - 1) is there",
                    retryAfter: .seconds(1), notStarted: true)
            }
            for replica in replicas {
                contents.insert(try await load(request, in: replica.id, of: shard).contentID)
            }
        }
        guard contents.count == 1, let contentID = contents.first else {
            throw RPCError(
                .failedPrecondition, "processes with later layers of the model have different adapters at this path",
                reason: "adapters_differ", field: "path")
        }
        remember(request, contentID: contentID)
        return Held(contentID: contentID, lease: lease)
    }

    private func load(
        _ request: Wire.LoadAdapterRequest, in instance: String, of shard: Int
    ) async throws -> Wire.LoadAdapterReply {
        let options = CallOptions(timeout: Self.loadTimeout, instanceID: instance)
        do {
            return try await client(of: shard).call(Wire.TextShard.loadAdapter, request, options).message
        } catch {
            var error = RPCError(converting: error)
            let layers = layers[shard]
            error.message = "layers \(layers.lowerBound)-\(layers.upperBound - 1): \(error.message)"
            throw error
        }
    }

    /// Gives a replica, which has come later than they, the adapters that a call needs.
    ///
    /// - Throws: `RPCError` FAILED_PRECONDITION for one that was not loaded by request, and what the shard refuses with.
    func supply(_ adapters: Set<String>, to instance: String, of shard: Int) async throws {
        for content in adapters.sorted() {
            guard let request = remembered(content) else {
                let layers = layers[shard]
                throw RPCError(
                    .failedPrecondition,
                    "a process with layers \(layers.lowerBound)-\(layers.upperBound - 1) lacks an adapter; every process of "
                        + "the model needs the same --adapter", reason: RPCError.noAdapterReason, field: "adapter")
            }
            _ = try await load(request, in: instance, of: shard)
        }
    }

    /// Lets calls go only to replicas that have these adapters, which processes are started with.
    ///
    /// - Parameter adapters: content ids by name.
    /// - Throws: `RPCError` FAILED_PRECONDITION where a shard has no such replica.
    package func require(_ adapters: [String: String]) throws {
        for (name, content) in adapters.sorted(by: { $0.key < $1.key }) {
            require(content)
            for (shard, layers) in layers.enumerated() where replicas(of: shard).isEmpty {
                throw RPCError(
                    .failedPrecondition,
                    "the process with layers \(layers.lowerBound)-\(layers.upperBound - 1) has no adapter \"\(name)\" of this "
                        + "content; give every process of the model the same --adapter",
                    reason: RPCError.noAdapterReason)
            }
        }
    }

    /// Tells every replica. One that does not hear it has the adapter until it ends.
    private func forget(_ request: Wire.LoadAdapterRequest) {
        forgetRemembered(request.name)
        let unload = Wire.UnloadAdapterRequest(model: request.model, name: request.name)
        for shard in layers.indices {
            for replica in replicas(of: shard) {
                var options = CallOptions(timeout: .seconds(5), instanceID: replica.id)
                options.waitsForReady = false
                let (client, once) = (client(of: shard), options)
                Task { _ = try? await client.call(Wire.TextShard.unloadAdapter, unload, once) }
            }
        }
    }
}
