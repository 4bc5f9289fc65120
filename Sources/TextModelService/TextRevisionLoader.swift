import Concurrency
import GGUF
package import Layers
import Messages
package import ModelServing
package import RPC
package import Tensors
package import TextGeneration
package import TextModels
import Tokenizers

/// Makes revisions of a text model from what is at its place: the first one, and those that replace it.
package struct TextRevisionLoader: Sendable {
    package struct Options: Sendable {
        package var precision = Precision.auto
        package var activations = ActivationPrecision.auto
        /// What the model is where its files do not say how it scores.
        package var reranker: Reranker?
        /// The layers that are here; nil for all.
        package var layers: Range<Int>?
        package var engine: EngineCore.Options
        /// nil where the model is served without adapters.
        package var adapters: AdapterLibrary.Options? = AdapterLibrary.Options()
        /// Where packed weights are kept.
        package var cache: CacheDirectory?
        package var room = MemoryRoom.unknown
        /// For how long nobody asks before the model is let go until somebody does; nil for ever.
        package var idleUnload: Duration?
        /// Whether the model goes as soon as it has been looked at.
        package var startsUnloaded = false
        /// When it may be loaded again.
        package var turns = LoadTurns(file: nil)
        /// Is told when the model goes (true) and comes back (false).
        package var unloadedOrLoaded: @Sendable (_ isUnloaded: Bool) -> Void = { _ in }

        package init(engine: EngineCore.Options) { self.engine = engine }
    }

    /// A checkpoint, and its identity.
    package struct Checkpoint: Sendable {
        package let loaded: LoadedText
        package let numericsID: String
    }

    private let name: String
    private let options: Options
    private let directory: @Sendable () throws -> String
    private let draftDirectory: (@Sendable () throws -> String)?
    private let device: Device
    private let gauge: LoadGauge

    /// - Parameters:
    ///   - name: the model's, as requests give it.
    ///   - directory: where its checkpoint is; asked each time.
    ///   - draftDirectory: where the model is that proposes tokens; asked each time.
    package init(
        name: String, options: Options, on device: Device, gauge: LoadGauge,
        directory: @escaping @Sendable () throws -> String, draftDirectory: (@Sendable () throws -> String)? = nil
    ) {
        (self.name, self.options, self.device, self.gauge) = (name, options, device, gauge)
        (self.directory, self.draftDirectory) = (directory, draftDirectory)
    }

    /// Loads weights and tokenizer.
    ///
    /// - Parameter packing: packs the weights.
    /// - Throws: what is wrong with the files.
    package func checkpoint(packing: Device) throws -> Checkpoint {
        let directory = try directory()
        let loaded = try LoadedText(
            directory: directory, layers: options.layers, precision: options.precision,
            activations: options.activations, reranker: options.reranker, cache: options.cache, on: packing)
        let id = try numericsID(directory, tokenizerHash: loaded.tokenizer.hash)
        return Checkpoint(loaded: loaded, numericsID: id)
    }

    private func numericsID(_ directory: String, tokenizerHash: String) throws -> String {
        try NumericsID.compute(
            directory: directory, tokenizerHash: tokenizerHash, precision: options.precision,
            activations: options.activations, cachePrecision: options.engine.cachePrecision, cache: options.cache)
    }

    /// What is served first.
    ///
    /// - Parameters:
    ///   - shards: where the layers are that are not here.
    ///   - adapters: directories by name.
    /// - Throws: `RPCError` for an adapter, and what keeps an engine from being made.
    package func revision(
        _ checkpoint: Checkpoint, shards: LaterShardClients? = nil, adapters: [String: String] = [:]
    ) throws -> TextRevision {
        try revision(checkpoint, shards: shards, adapters: adapters, packing: device, gauge: gauge)
    }

    private func revision(
        _ checkpoint: Checkpoint, shards: LaterShardClients?, adapters: [String: String], packing: Device,
        gauge: LoadGauge
    ) throws -> TextRevision {
        let loaded: LoadedModel
        switch checkpoint.loaded {
        case .decoder(let decoder): loaded = decoder
        case .encoder(let encoder):
            return try revision(checkpoint, of: encoder, adapters: adapters, gauge: gauge)
        }
        let drafts = try draftDirectory.map {
            try LoadedModel(
                directory: $0(), precision: options.precision, activations: options.activations, cache: options.cache,
                on: packing)
        }
        let resident = ResidentModel(loaded.model)
        let library = try options.adapters.map {
            try AdapterLibrary(for: resident, modelName: name, options: $0, shards: shards)
        }
        for (name, directory) in adapters.sorted(by: { $0.key < $1.key }) {
            try library?.load(name, directory: directory)
        }
        try shards?.require(library?.contents ?? [:])
        let engine = try TextEngine(
            loaded, drafts: drafts, shards: shards, options: options.engine,
            unload: unload(checkpoint), resident: resident, on: device, gauge: gauge)
        // Requests need not wait for the disk.
        try keep(loaded.packedCache, drafts?.packedCache)
        return TextRevision(
            name: name, numericsID: checkpoint.numericsID, tokenizerHash: loaded.tokenizer.hash, engine: engine,
            adapters: library)
    }

    /// An encoder has no cache, no drafts and no adapters.
    private func revision(
        _ checkpoint: Checkpoint, of encoder: LoadedEncoder, adapters: [String: String], gauge: LoadGauge
    ) throws -> TextRevision {
        guard adapters.isEmpty else {
            throw TextModelError(.unsupported, "\"\(name)\" is an encoder, and encoders take no adapters")
        }
        guard draftDirectory == nil else {
            throw TextModelError(.unsupported, "\"\(name)\" is an encoder, and generates nothing to propose")
        }
        let engine = try TextEngine(encoder, unload: unload(checkpoint), on: device, gauge: gauge)
        try keep(encoder.packedCache)
        return TextRevision(
            name: name, numericsID: checkpoint.numericsID, tokenizerHash: encoder.tokenizer.hash, engine: engine)
    }

    /// How an engine lets its model go and has it back; nil where it keeps it.
    private func unload(_ checkpoint: Checkpoint) -> IdleUnload? {
        let id = checkpoint.numericsID, cacheSize = checkpoint.loaded.cacheSize(options.engine)
        return options.idleUnload.map { after in
            IdleUnload(
                after: after, startsAway: options.startsUnloaded, load: { try again(id, cacheSize: cacheSize) },
                told: options.unloadedOrLoaded)
        }
    }

    /// Loads a revision that was let go, for its engine's own thread.
    ///
    /// - Throws: `RPCError`: UNAVAILABLE when what is at the model's place now is another revision, RESOURCE_EXHAUSTED
    ///   when there is no room for it.
    private func again(_ id: String, cacheSize: Int) throws -> (loaded: LoadedText, drafts: LoadedModel?) {
        let turn = try options.turns.take()
        defer { turn.end() }
        return try GGUFHeaders.kept { try loadedAgain(id, cacheSize: cacheSize) }
    }

    /// How a later shard of the model lets its layers go and has them back; nil where it keeps them.
    package func shardUnload(_ checkpoint: Checkpoint) -> ShardUnload? {
        let id = checkpoint.numericsID, cacheSize = checkpoint.loaded.cacheSize(options.engine)
        return options.idleUnload.map { after in
            ShardUnload(
                after: after, startsAway: options.startsUnloaded,
                load: {
                    guard case .decoder(let loaded) = try again(id, cacheSize: cacheSize).loaded else {
                        throw RPCError.stale(name)
                    }
                    return loaded.model
                }, told: options.unloadedOrLoaded)
        }
    }

    private func loadedAgain(_ id: String, cacheSize: Int) throws -> (loaded: LoadedText, drafts: LoadedModel?) {
        do {
            try options.room.require(try weightsSize() + cacheSize, for: "\"\(name)\", which was unloaded,")
            let checkpoint = try checkpoint(packing: device)
            guard checkpoint.numericsID == id else {
                guard options.layers == nil else {
                    throw RPCError(
                        .failedPrecondition,
                        "the files of \"\(name)\" have changed since it was unloaded; start all its processes again",
                        reason: "invalid_checkpoint")
                }
                throw RPCError.stale(name)
            }
            let drafts = try draftDirectory.map {
                try LoadedModel(
                    directory: $0(), precision: options.precision, activations: options.activations,
                    cache: options.cache, on: device)
            }
            try keep(checkpoint.loaded.packedCache, drafts?.packedCache)
            return (checkpoint.loaded, drafts)
        } catch let error as RPCError where error.reason == RPCError.staleReason {
            throw error
        } catch {
            throw RPCError(reload: error)
        }
    }

    /// What the weights of the layers here take, about.
    private func weightsSize() throws -> Int {
        let directory = try directory()
        let all = try CheckpointSize.weights(directory: directory, precision: options.precision)
        guard let layers = options.layers, let extents = try TextModelLoader.extents(directory: directory) else {
            return all
        }
        return all / extents.shape.layers * layers.count
    }

    private func keep(_ caches: PackedCache?...) throws {
        for packed in caches.compactMap({ $0 }) {
            _ = try DedicatedThread(name: "packed-cache", rank: .computing) { packed.write() }
        }
    }

    /// Loads what is at the model's place now, with the adapters that the current revision has.
    ///
    /// - Returns: nil when that is what is served.
    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when it does not fit beside what is served, FAILED_PRECONDITION that says
    ///   what is wrong with the files.
    package func next(after current: TextRevision) throws -> TextRevision? {
        do {
            let directory = try directory()
            let hash = try Tokenizer(directory: directory).hash
            let id = try numericsID(directory, tokenizerHash: hash)
            guard id != current.numericsID else { return nil }
            let weights = try CheckpointSize.weights(directory: directory, precision: options.precision)
            try options.room.require(weights + current.engine.cacheByteCount, for: "a new revision of \"\(name)\"")
            // The running engine's threads are left alone.
            let packing = Device(threadCount: 1)
            let checkpoint = try checkpoint(packing: packing)
            guard checkpoint.numericsID == id else {
                throw RPCError(
                    .failedPrecondition,
                    "the files of \"\(name)\" changed while they were read; put them in place whole",
                    reason: "invalid_checkpoint")
            }
            try options.room.require(
                checkpoint.loaded.cacheSize(options.engine),
                for: "the key-value cache of a new revision of \"\(name)\"")
            return try revision(
                checkpoint, shards: nil, adapters: current.adapters?.directories ?? [:], packing: packing,
                gauge: gauge.part())
        } catch {
            throw RPCError(reload: error)
        }
    }
}

extension RPCError {
    /// Why a revision could not be loaded.
    fileprivate init(reload error: any Error) {
        switch error {
        case let error as RPCError where error.reason == "insufficient_memory": self = error
        case let error as TextModelError where error.code == .resourceExhausted:
            self.init(.resourceExhausted, error.message, reason: "insufficient_memory")
        case let error as RPCError: self.init(.failedPrecondition, error.message, reason: "invalid_checkpoint")
        case let error as TextModelError:
            self.init(.failedPrecondition, error.message, reason: "invalid_checkpoint")
        case let error as TokenizerError:
            self.init(.failedPrecondition, error.message, reason: "invalid_checkpoint")
        case let error as TensorError:
            let code: RPCError.Code = error.code == .tooLarge ? .resourceExhausted : .failedPrecondition
            self.init(
                code, error.message,
                reason: error.code == .tooLarge ? "insufficient_memory" : "invalid_checkpoint")
        default:
            // Such as a directory that has gone: the operator who asked for it may know.
            self.init(.failedPrecondition, "\(error)", reason: "invalid_checkpoint")
        }
    }
}
