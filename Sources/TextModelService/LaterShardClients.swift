import Concurrency
import Messages
package import RPC
import Synchronization
import Tensors
import TextGeneration
package import TextModels

/// The replicas of a model's later shards, as the first shard calls them.
///
/// A group of sequences is pinned to one replica of each shard. When that one is gone or does not answer, the call goes
/// to another, which says what it lacks and is given it: no sequence is lost with a replica.
package final class LaterShardClients: Sendable {
    /// What came of the last call of a group.
    struct Answer: Sendable {
        var group: Int
        var result: Result<ShardAnswer, RPCError>
    }

    private struct Place: Hashable {
        var shard: Int
        var group: Int
    }

    private struct State {
        /// The replica that a group's sequences are at.
        var pins: [Place: String] = [:]
        /// How adapters were loaded that came by request, by content.
        var adapters: [String: Wire.LoadAdapterRequest] = [:]
        var adapterCount = 0
        /// Of adapters that every replica must have: the model's numerics ids with them.
        var required: Set<String> = []
        var isClosed = false
    }

    /// Answers for the engine's thread: each group waits for one at most.
    let answers = BoundedQueue<Answer>(capacity: 1_024)
    /// The layers of each, in order.
    package let layers: [Range<Int>]
    private let clients: [RPCClient]
    private let numericsID: String
    private let shape: DecoderShape
    /// Numbers of sequences are this engine's own.
    private let owner = ServiceDescription.newInstanceID()
    private let state = Mutex(State())

    /// Replicas that lack an adapter, one after the other, which are given it for one call.
    private static let supplyLimit = 8
    /// After so long a call is made of another replica. A dead one is noticed by the bus far sooner.
    private static let callTimeout: Duration = .seconds(300)

    /// Waits until each shard has an instance, and learns the cut from them.
    ///
    /// - Parameters:
    ///   - clients: one a shard, in the order of the layers.
    ///   - numericsID: the whole model's.
    /// - Throws: `RPCError`: UNAVAILABLE when a shard has no instance of this model in time, FAILED_PRECONDITION when
    ///   the layers do not follow one another to the model's last.
    package init(
        _ clients: [RPCClient], after model: any TextModel, numericsID: String, timeout: Duration = .seconds(300)
    ) async throws {
        var layers: [Range<Int>] = []
        var next = model.layers.upperBound
        for client in clients {
            let instances = try await client.waitUntil(timeout: timeout) { instances in
                instances.contains { $0.description.models.contains { $0.numericsID == numericsID } }
            }
            let described = instances.map(\.description).filter { description in
                description.models.contains { $0.numericsID == numericsID }
            }
            guard let own = described.first(where: { $0.service == "text-shard" && $0.layers.lowerBound == next })
            else {
                let found = described.map { "\($0.layers.lowerBound)-\($0.layers.upperBound - 1)" }
                throw RPCError(
                    .failedPrecondition,
                    "a shard that begins with layer \(next) is needed; there is one of layers "
                        + found.joined(separator: ", "), reason: "layers_mismatch")
            }
            layers.append(own.layers)
            next = own.layers.upperBound
        }
        guard next == model.shape.layers else {
            throw RPCError(
                .failedPrecondition, "the shards end with layer \(next - 1); the model has \(model.shape.layers)",
                reason: "layers_mismatch")
        }
        (self.clients, self.layers, self.numericsID, shape) = (clients, layers, numericsID, model.shape)
    }

    deinit { close() }

    /// Running calls fail as UNAVAILABLE.
    func close() {
        state.withLock { $0.isClosed = true }
        for client in clients { client.close() }
    }

    /// Replicas that take calls now, over all shards.
    var replicaCount: Int { clients.indices.reduce(0) { $0 + replicas(of: $1).count } }

    func client(of shard: Int) -> RPCClient { clients[shard] }

    func replicas(of shard: Int) -> [Instance] {
        clients[shard].instances.filter { $0.state == .ready && isReplica($0.description, of: shard) }
    }

    private func isReplica(_ description: ServiceDescription, of shard: Int) -> Bool {
        guard description.service == "text-shard", description.layers == layers[shard] else { return false }
        let ids = Set(description.models.map(\.numericsID))
        return ids.contains(numericsID) && state.withLock { $0.required.isSubset(of: ids) }
    }

    // MARK: Adapters

    /// The request under a name that no other first shard gives.
    func numbered(_ request: Wire.LoadAdapterRequest) -> Wire.LoadAdapterRequest {
        var request = request
        let number = state.withLock { state in
            state.adapterCount += 1
            return state.adapterCount
        }
        request.name = "\(owner)/\(number)"
        return request
    }

    func remember(_ request: Wire.LoadAdapterRequest, contentID: String) {
        state.withLock { $0.adapters[contentID] = request }
    }

    func remembered(_ contentID: String) -> Wire.LoadAdapterRequest? { state.withLock { $0.adapters[contentID] } }

    func forgetRemembered(_ name: String) {
        state.withLock { state in state.adapters = state.adapters.filter { $0.value.name != name } }
    }

    func require(_ contentID: String) {
        _ = state.withLock { $0.required.insert(NumericsID.adapted(numericsID, by: contentID)) }
    }

    // MARK: Calls

    /// Sends a call; its answer comes to `answers`.
    func send(_ call: ShardCall, to shard: Int, group: Int) {
        Task {
            let result: Result<ShardAnswer, RPCError>
            do {
                result = .success(try await forward(call, Place(shard: shard, group: group)))
            } catch {
                result = .failure(RPCError(converting: error))
            }
            _ = answers.offer(Answer(group: group, result: result))
        }
    }

    /// Tells every replica that sequences are done. One that does not hear it forgets them when it needs their pages.
    func release(_ sequences: [UInt64]) {
        let request = Wire.ReleaseRequest(owner: owner, sequences: sequences)
        for shard in clients.indices {
            for replica in replicas(of: shard) {
                var options = CallOptions(timeout: .seconds(5), instanceID: replica.id)
                options.waitsForReady = false
                let (client, once) = (clients[shard], options)
                Task { _ = try? await client.call(Wire.TextShard.release, request, once) }
            }
        }
    }

    private func forward(_ call: ShardCall, _ place: Place) async throws -> ShardAnswer {
        let request = Wire.ForwardRequest(owner: owner, sequences: call.parts.map { Wire.ShardRows($0) })
        let rows = Attachment(call.rows)
        var supplies = 0
        while true {
            var options = CallOptions(timeout: Self.callTimeout, attachments: [rows], instanceID: pin(place))
            options.numericsID = numericsID
            options.filter = { self.isReplica($0, of: place.shard) }
            options.cost = call.rows.rowCount
            options.waitsForReady = options.instanceID == nil
            options.readyTimeout = .seconds(1)
            do {
                let reply = try await clients[place.shard].call(Wire.TextShard.forward, request, options)
                state.withLock { $0.pins[place] = reply.instanceID }
                return try answer(reply, to: call)
            } catch let error as RPCError where error.isLossOfReplica {
                guard !state.withLock({ $0.isClosed }) else { throw error }
                state.withLock { $0.pins[place] = nil }
                // The set of replicas is about to change.
                if !options.waitsForReady { try await Task.sleep(for: .milliseconds(10)) }
            } catch let error as RPCError where error.reason == RPCError.noAdapterReason {
                guard let instance = options.instanceID ?? pin(place), supplies < Self.supplyLimit else { throw error }
                supplies += 1
                try await supply(call.adapters, to: instance, of: place.shard)
            }
        }
    }

    private func answer(_ reply: ClientReply<Wire.ForwardReply>, to call: ShardCall) throws -> ShardAnswer {
        guard reply.message.missing.isEmpty else {
            let missing = reply.message.missing.map { ($0.sequence, $0.have.map { Int($0) }) }
            return .missing(Dictionary(missing) { $1 })
        }
        guard let rows = reply.attachments.first else {
            throw RPCError(.internalError, "a shard's reply has no rows", reason: "malformed_reply")
        }
        do {
            return .rows(
                try rows.withSpan(0..<rows.count) { span throws(TensorError) in
                    try Tensor(f32: span, shape: [call.outputCount, shape.hidden])
                })
        } catch {
            throw RPCError(.internalError, error.message, reason: "malformed_reply")
        }
    }

    /// The group's replica; else the one with the fewest groups, if there is any.
    private func pin(_ place: Place) -> String? {
        let replicas = replicas(of: place.shard).map(\.id)
        return state.withLock { state in
            if let pinned = state.pins[place], replicas.contains(pinned) { return pinned }
            let groups = Dictionary(
                state.pins.filter { $0.key.shard == place.shard && $0.key != place }.map { ($0.value, 1) },
                uniquingKeysWith: +)
            state.pins[place] = replicas.min { (groups[$0] ?? 0, $0) < (groups[$1] ?? 0, $1) }
            return state.pins[place]
        }
    }
}

extension Wire.ShardRows {
    init(_ part: ShardCall.Part) {
        self.init(
            sequence: part.sequence, start: UInt32(clamping: part.start), count: UInt32(clamping: part.count),
            outputs: UInt32(clamping: part.outputs), tokens: part.tokens, root: part.root,
            taken: UInt32(clamping: part.taken), checkpoint: UInt32(clamping: part.checkpoint?.rows ?? 0),
            checkpointLasts: part.checkpoint?.lasts ?? false, adapter: part.adapter)
    }
}

extension RPCError {
    /// Whether another replica, or the same one once it is back, can answer where this one did not.
    fileprivate var isLossOfReplica: Bool {
        switch code {
        case .unavailable, .deadlineExceeded, .cancelled: true
        case .failedPrecondition: notStarted
        default: false
        }
    }
}
