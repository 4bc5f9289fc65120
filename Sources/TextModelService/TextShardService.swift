import Concurrency
import Layers
package import Messages
package import RPC
package import Tensors
import TextGeneration
package import TextModels

/// Serves `nephele.v1.TextShard`: the later layers of one model, on a thread of its own.
package struct TextShardService: RPCService {
    private let name: String
    private let engine: TextShardEngine
    private let adapters: AdapterLibrary?

    /// - Parameters:
    ///   - name: the model's name, as requests to its first shard give it.
    ///   - adapters: of the layers here; nil where the model is served without any.
    ///   - unload: when the layers are let go; nil for never.
    ///   - resident: is told of the layers as they go and come.
    /// - Throws: when the key-value cache does not fit in memory, or the system gives no thread.
    package init(
        name: String, model: any TextModel, cachePositions: Int, cachePrecision: CachePrecision,
        states: DecoderCache.StateCounts, adapters: AdapterLibrary? = nil, unload: ShardUnload? = nil,
        resident: ResidentModel? = nil, on device: Device, gauge: LoadGauge
    ) throws {
        (self.name, self.adapters) = (name, adapters)
        engine = try TextShardEngine(model, unload: unload, resident: resident, gauge: gauge) {
            model throws(TextModelError) in
            try ShardCore(
                model, cachePositions: cachePositions, cachePrecision: cachePrecision, states: states, on: device)
        }
    }

    /// What the instance says of itself.
    ///
    /// - Parameters:
    ///   - numericsID: the whole model's: it does not depend on the cut.
    ///   - capacity: sequences that run together.
    package func description(numericsID: String, capacity: Int) -> ServiceDescription {
        var description = ServiceDescription(service: "text-shard")
        description.models = models(numericsID)
        description.layers = engine.layers
        description.capacity = capacity
        return description
    }

    /// Lets the server say which adapters there are, as they come and go.
    package func keepDescribed(by server: RPCServer, numericsID: String) {
        let service = self
        adapters?.onChange { [weak server] in server?.update { $0.models = service.models(numericsID) } }
    }

    /// The model, and each adapter as a model that has it for its parent.
    private func models(_ numericsID: String) -> [ModelDescription] {
        var model = ModelDescription(name: name)
        model.numericsID = numericsID
        model.revision = String(numericsID.prefix(12))
        model.modality = "text"
        model.contextLength = engine.shape.context
        let contents = adapters?.contents ?? [:]
        return [model] + contents.sorted { $0.key < $1.key }.map { model.adapted(as: $0, contentID: $1) }
    }

    package func register(with router: inout RPCRouter) {
        router.unary(Wire.TextShard.forward) { request, context in
            guard request.attachments.count == 1 else {
                throw RPCError(
                    .invalidArgument, "\(request.attachments.count) attachments; the rows are one",
                    reason: "invalid_request", field: "sequences")
            }
            let call = try ShardCall(request.message, rows: request.attachments[0], shape: engine.shape)
            let adapters = try adapters(call)
            switch try await engine.forward(call, owner: request.message.owner, adapters, context) {
            case .rows(let rows): return ServerReply(Wire.ForwardReply(), attachments: [Attachment(rows)])
            case .missing(let missing):
                return ServerReply(
                    Wire.ForwardReply(
                        missing: missing.sorted { $0.key < $1.key }.map {
                            Wire.MissingRows(sequence: $0.key, have: $0.value.map { UInt32(clamping: $0) })
                        }))
            }
        }
        router.unary(Wire.TextShard.release) { request, _ in
            try await engine.release(request.message.sequences, owner: request.message.owner)
            return ServerReply(Wire.ReleaseReply())
        }
        guard let adapters else { return }
        router.unary(Wire.TextShard.loadAdapter) { request, context in
            // Adapters are held against the layers' weights.
            try await adapters.model.staying {
                try await engine.wake(context)
                return ServerReply(try await adapters.load(request.message, context))
            }
        }
        router.unary(Wire.TextShard.unloadAdapter) { request, _ in
            try adapters.unload(request.message)
            return ServerReply(Wire.UnloadAdapterReply())
        }
    }

    /// The adapters that a call names.
    ///
    /// - Throws: `RPCError` NOT_FOUND.
    private func adapters(_ call: ShardCall) throws -> [String: LowRankAdapter] {
        let contents = call.adapters
        if contents.isEmpty { return [:] }
        guard let adapters else { throw RPCError.noAdapters(field: "adapter") }
        return try adapters.adapters(contents: contents)
    }
}

extension Attachment {
    convenience init(_ rows: Tensor) {
        self.init(count: rows.byteCount)
        rows.withBytes { write($0, at: 0) }
    }
}

extension ShardCall {
    /// - Throws: `RPCError` INVALID_ARGUMENT that says what is wrong.
    init(_ message: Wire.ForwardRequest, rows: Attachment, shape: DecoderShape) throws {
        do {
            try self.init(
                checking: message.sequences.map {
                    Part(
                        sequence: $0.sequence, start: Int($0.start), count: Int($0.count), outputs: Int($0.outputs),
                        tokens: $0.tokens, root: $0.root, adapter: $0.adapter,
                        taken: Int($0.taken == 0 ? $0.count : $0.taken),
                        checkpoint: $0.checkpoint == 0
                            ? nil : .init(rows: Int($0.checkpoint), lasts: $0.checkpointLasts))
                }, shape: shape
            ) { shape in
                try rows.withSpan(0..<rows.count) { try Tensor(f32: $0, shape: shape) }
            }
        } catch let error as TextModelError {
            throw RPCError(textModel: error)
        } catch let error as TensorError {
            let code: RPCError.Code = error.code == .tooLarge ? .resourceExhausted : .invalidArgument
            throw RPCError(code, error.message, reason: "invalid_request", field: "sequences")
        }
    }
}
