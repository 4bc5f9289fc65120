import Concurrency
import Messages
import ModelServing
package import RPC
import Synchronization
package import Tensors
package import TextGeneration
package import TextModels

/// Runs an `EngineCore` on a thread of its own and carries its deltas to the callers.
///
/// Requests come through a bounded queue. Deltas go straight to each caller's reply stream, which keeps what its
/// reader is too slow for: a slow reader never holds the batch up.
package final class TextEngine: Sendable {
    /// A request with its caller.
    struct Job: Sendable {
        var request: GenerationRequest
        /// Where deltas go; nil for an embedding, which comes with the end.
        var writer: ReplyWriter<Wire.GenerateDelta>?
        /// How long a token may wait for others to travel with.
        var batchingDelay: Duration
        var context: ServerContext
        var done: CheckedContinuation<[Float], any Error>
        /// The ticket by which it is counted until the engine has seen it.
        var ticket: UInt64

        /// - Throws: `RPCError` CANCELLED, when nobody reads any more.
        func offer(_ delta: Wire.GenerateDelta) throws {
            // Every delta fits: one a token and one at the end of each choice, and one that says that it starts.
            try writer?.offer(delta, bound: (request.maxTokens + 1) * request.n + 1)
        }
    }

    private let queue: BoundedQueue<Job>
    private let thread: DedicatedThread
    private let shards: LaterShardClients?
    package let shape: DecoderShape
    /// The layers that are here.
    let layers: Range<Int>
    /// Into how many the model is cut.
    let shardCount: Int
    let samplingDefaults: LoadedModel.SamplingDefaults
    /// What keys and values may take.
    let cacheByteCount: Int
    /// What is made of texts besides more text.
    let abilities: TextAbilities
    /// How many types of tokens the model tells apart.
    let tokenTypes: Int
    /// Whether text is generated.
    let generates: Bool
    /// What answers are held to; nil where text is not generated.
    let grammars: GrammarLibrary?
    private let admission: Admission
    /// Whether the model is let go until somebody asks.
    private let isUnloaded: Flag
    private let started = Atomic<Int>(0)
    private let ended = Atomic<Int>(0)

    /// Calls that wait or generate.
    var runningCalls: Int {
        let ended = ended.load(ordering: .acquiring)
        return started.load(ordering: .relaxed) - ended
    }

    /// - Parameters:
    ///   - drafts: a small model that proposes tokens.
    ///   - shards: where the layers are that are not here.
    ///   - unload: when the model is let go; nil for never.
    ///   - resident: is told of the model as it goes and comes.
    /// - Throws: when the key-value cache does not fit in memory, the draft model is not for this one, or the system
    ///   gives no thread.
    package init(
        _ loaded: LoadedModel, drafts: LoadedModel? = nil, shards: LaterShardClients? = nil,
        options: EngineCore.Options, unload: IdleUnload? = nil, resident: ResidentModel? = nil, on device: Device,
        gauge: LoadGauge
    ) throws {
        (shape, layers) = (loaded.model.shape, loaded.model.layers)
        (self.shards, shardCount) = (shards, 1 + (shards?.layers.count ?? 0))
        samplingDefaults = loaded.samplingDefaults
        (abilities, tokenTypes, generates) = (loaded.abilities, 1, loaded.generationFault == nil)
        grammars = generates ? GrammarLibrary(loaded) : nil
        let core = try EngineCore(
            loaded, drafts: drafts, laterShards: shards?.layers.count ?? 0, options: options, on: device)
        cacheByteCount = core.cacheByteCount
        let queue = BoundedQueue<Job>(capacity: options.queueLimit)
        self.queue = queue
        let forecast = AdmissionForecast(
            sequenceLimit: options.sequenceLimit, cachePositions: options.cachePositions)
        let admission = Admission(forecast)
        self.admission = admission
        let isUnloaded = Flag(), engineGauge = EngineGauge(gauge), laterShards = shards?.layers.count ?? 0
        self.isUnloaded = isUnloaded
        // The thread's alone: nothing else may hold the model.
        let first = Mutex<EngineCore?>(core)
        thread = try DedicatedThread(name: "text-engine", rank: .computing) {
            var statistics = EngineCore.Statistics()
            var residency = EngineResidency(
                queue: queue, admission: admission, idleLimit: unload?.after,
                firstLimit: unload?.startsAway == true ? .zero : nil, forecast: forecast
            ) { forecast in
                var core: EngineCore
                if let first = first.withLock({ $0.take() }) {
                    core = first
                } else {
                    core = try Self.reloaded(unload, laterShards: laterShards, options, on: device)
                    core.statistics = statistics
                    resident?.set(core.loaded.model)
                    isUnloaded.value.store(false, ordering: .relaxed)
                    unload?.told(false)
                }
                return TextEngineLoop(
                    core: core, shards: shards, gauge: gauge, engineGauge: engineGauge, forecast: forecast,
                    admission: admission
                ) { statistics = $0 }
            } letGo: {
                isUnloaded.value.store(true, ordering: .relaxed)
                resident?.set(nil)
                unload?.told(true)
            }
            residency.run()
        }
    }

    /// An engine of an encoder, which keeps no cache and generates no text.
    ///
    /// - Throws: when the system gives no thread.
    package init(
        _ loaded: LoadedEncoder, options: EncoderCore.Options = EncoderCore.Options(), unload: IdleUnload? = nil,
        on device: Device, gauge: LoadGauge
    ) throws {
        (shape, layers, shards, shardCount) = (loaded.shape, 0..<loaded.shape.layers, nil, 1)
        (samplingDefaults, cacheByteCount) = (LoadedModel.SamplingDefaults(), 0)
        (abilities, tokenTypes, generates) = (loaded.abilities, loaded.encoder.tokenTypes, false)
        grammars = nil
        let core = EncoderCore(loaded, options: options, on: device)
        let queue = BoundedQueue<Job>(capacity: options.queueLimit)
        self.queue = queue
        // Texts take their turn one after the other, and hold nothing.
        let forecast = AdmissionForecast(sequenceLimit: 1, cachePositions: 1 << 40)
        let admission = Admission(forecast)
        self.admission = admission
        let isUnloaded = Flag(), engineGauge = EngineGauge(gauge)
        self.isUnloaded = isUnloaded
        let first = Mutex<EncoderCore?>(core)
        thread = try DedicatedThread(name: "text-engine", rank: .computing) {
            var residency = EngineResidency(
                queue: queue, admission: admission, idleLimit: unload?.after,
                firstLimit: unload?.startsAway == true ? .zero : nil, forecast: forecast
            ) { forecast in
                let core: EncoderCore
                if let first = first.withLock({ $0.take() }) {
                    core = first
                } else {
                    core = try Self.reloaded(unload, options, on: device)
                    isUnloaded.value.store(false, ordering: .relaxed)
                    unload?.told(false)
                }
                return EncoderLoop(
                    core: core, gauge: gauge, engineGauge: engineGauge, forecast: forecast, admission: admission)
            } letGo: {
                isUnloaded.value.store(true, ordering: .relaxed)
                unload?.told(true)
            }
            residency.run()
        }
    }

    /// What a thread and its engine share.
    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    /// Once more the core of a decoder that was let go.
    private static func reloaded(
        _ unload: IdleUnload?, laterShards: Int, _ options: EngineCore.Options, on device: Device
    ) throws -> EngineCore {
        guard let again = try unload?.load(), case .decoder(let loaded) = again.loaded else { throw RPCError.stopped }
        do throws(TextModelError) {
            return try EngineCore(
                loaded, drafts: again.drafts, laterShards: laterShards, options: options, on: device)
        } catch {
            throw RPCError(textModel: error)
        }
    }

    /// Once more the core of an encoder that was let go.
    private static func reloaded(
        _ unload: IdleUnload?, _ options: EncoderCore.Options, on device: Device
    ) throws -> EncoderCore {
        guard case .encoder(let loaded)? = try unload?.load().loaded else { throw RPCError.stopped }
        return EncoderCore(loaded, options: options, on: device)
    }

    /// Brings the model back where it was let go: it reads one token.
    func wake(_ context: ServerContext) async throws {
        guard isUnloaded.value.load(ordering: .relaxed) else { return }
        let request: GenerationRequest
        do throws(TextModelError) { request = try .embedding(of: [0], shape: shape) } catch {
            throw RPCError(textModel: error)
        }
        _ = try await read([request], context)
    }

    deinit {
        queue.close()
        shards?.close()
    }

    /// Generates until every choice has ended or the caller is gone.
    ///
    /// - Parameter batchingDelay: how long a token may wait for others to travel with.
    /// - Throws: `RPCError`: RESOURCE_EXHAUSTED when the queue is full or so long that the answer would come too late,
    ///   CANCELLED when the caller is gone.
    func generate(
        _ request: GenerationRequest, batchingDelay: Duration, to writer: ReplyWriter<Wire.GenerateDelta>,
        _ context: ServerContext
    ) async throws {
        // Each log-probability travels with its token; and what runs alone shows all progress that it makes.
        let mayWait = request.logProbabilities == nil && !request.runsAlone
        _ = try await run(request, batchingDelay: mayWait ? batchingDelay : .zero, to: writer, context)
    }

    /// The embeddings or scores of texts, in their order; they go through the engine as so many requests.
    ///
    /// - Throws: `RPCError`, as ``generate(_:batchingDelay:to:_:)``.
    func read(_ requests: [GenerationRequest], _ context: ServerContext) async throws -> [[Float]] {
        try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask { (index, try await self.run(request, to: nil, context)) }
            }
            var embeddings = [[Float]](repeating: [], count: requests.count)
            for try await (index, embedding) in group { embeddings[index] = embedding }
            return embeddings
        }
    }

    private func run(
        _ request: GenerationRequest, batchingDelay: Duration = .zero, to writer: ReplyWriter<Wire.GenerateDelta>?,
        _ context: ServerContext
    ) async throws -> [Float] {
        let ticket = try admission.admit(request, until: context.deadline)
        started.add(1, ordering: .relaxed)
        defer { ended.add(1, ordering: .releasing) }
        return try await withCheckedThrowingContinuation { done in
            let job = Job(
                request: request, writer: writer, batchingDelay: batchingDelay, context: context, done: done,
                ticket: ticket)
            switch queue.offer(job) {
            case .accepted: break
            case .full:
                admission.withdraw(ticket)
                done.resume(
                    throwing: RPCError(
                        .resourceExhausted, "\(queue.capacity) requests wait already", reason: "queue_full",
                        retryAfter: .seconds(1), notStarted: true))
            case .closed:
                admission.withdraw(ticket)
                done.resume(throwing: RPCError.stopped)
            }
        }
    }
}

extension RPCError {
    fileprivate static let stopped = RPCError(.unavailable, "the engine has stopped", notStarted: true)
}
