import Concurrency
import Foundation
import Layers
import Messages
import RPC
import Synchronization
import Tensors
package import TextModels

/// The LoRA adapters that an instance has, by the names under which requests ask for them.
///
/// Adapters are loaded one after the other on a thread of the library's own, so that neither the engine nor the Swift
/// concurrency pool waits for files. A request keeps the adapter that it found, whatever becomes of the name.
package final class AdapterLibrary: Sendable {
    package struct Options: Sendable {
        /// Where adapters are found that a caller asks for; nil: none are loaded on request.
        package var folder: String?
        /// Adapters, at most.
        package var countLimit = 64
        /// Bytes that all of them may take, packed.
        package var byteLimit = 1 << 30

        package init() {}
    }

    private struct Job: Sendable {
        var request: Wire.LoadAdapterRequest
        var elsewhere: LaterShardClients.Held?
        var context: ServerContext
        var done: CheckedContinuation<Wire.LoadAdapterReply, any Error>
    }

    private let shelf: AdapterShelf
    /// Where the model's later layers are, if they are elsewhere.
    private let shards: LaterShardClients?
    /// What adapters are held against.
    let model: ResidentModel
    private let queue = BoundedQueue<Job>(capacity: 64)
    private let thread: DedicatedThread

    /// - Parameter modelName: the model's name, as requests give it.
    /// - Throws: `ConcurrencyError` when the system gives no thread.
    package convenience init(for model: any TextModel, modelName: String, options: Options = Options()) throws {
        try self.init(for: ResidentModel(model), modelName: modelName, options: options)
    }

    /// - Parameters:
    ///   - model: may come and go; adapters stay.
    ///   - shards: where its later layers are, which have their parts of the adapters.
    /// - Throws: `ConcurrencyError` when the system gives no thread.
    package init(
        for model: ResidentModel, modelName: String, options: Options = Options(), shards: LaterShardClients? = nil
    ) throws {
        let (shelf, queue) = (AdapterShelf(model: model, modelName: modelName, options: options), queue)
        (self.shelf, self.model, self.shards) = (shelf, model, shards)
        thread = try DedicatedThread(name: "adapter-loader", rank: .computing) {
            while let job = queue.take() {
                guard !job.context.isCancelled else {
                    job.done.resume(throwing: RPCError(.cancelled, "the caller is gone", notStarted: true))
                    continue
                }
                job.done.resume(with: Result { try shelf.load(job.request, job.elsewhere) })
            }
        }
    }

    deinit { queue.close() }

    /// Loads an adapter from any directory, on the caller's thread: for those that an instance starts with.
    ///
    /// - Throws: `RPCError` that says what is wrong with it.
    package func load(_ name: String, directory: String) throws { _ = try shelf.load(name, directory: directory) }

    /// Loads an adapter that a caller asks for, in all parts of the model.
    ///
    /// - Throws: `RPCError`, as ``AdapterShelf/load(_:_:)`` and ``LaterShardClients/load(_:)`` say.
    func load(_ request: Wire.LoadAdapterRequest, _ context: ServerContext) async throws -> Wire.LoadAdapterReply {
        guard let shards, shelf.contents[request.name] == nil else { return try await loadHere(request, nil, context) }
        // Requests find it when it is everywhere. What fails here is given up there with the lease.
        var own = request
        own.model = try shelf.checkedModel(request)
        return try await loadHere(request, try await shards.load(own), context)
    }

    private func loadHere(
        _ request: Wire.LoadAdapterRequest, _ elsewhere: LaterShardClients.Held?, _ context: ServerContext
    ) async throws -> Wire.LoadAdapterReply {
        try await withCheckedThrowingContinuation { done in
            switch queue.offer(Job(request: request, elsewhere: elsewhere, context: context, done: done)) {
            case .accepted: break
            case .full:
                done.resume(
                    throwing: RPCError(
                        .resourceExhausted, "\(queue.capacity) adapters wait to be loaded", reason: "queue_full",
                        retryAfter: .seconds(1), notStarted: true))
            case .closed: done.resume(throwing: RPCError(.unavailable, "the instance has stopped", notStarted: true))
            }
        }
    }

    /// - Throws: `RPCError` NOT_FOUND.
    func unload(_ request: Wire.UnloadAdapterRequest) throws { try shelf.unload(request) }

    /// - Throws: `RPCError` NOT_FOUND.
    func adapter(_ name: String) throws -> LowRankAdapter { try shelf.adapter(name) }

    /// Adapters by their content ids.
    ///
    /// - Throws: `RPCError` NOT_FOUND.
    func adapters(contents: Set<String>) throws -> [String: LowRankAdapter] { try shelf.adapters(contents: contents) }

    /// Where the adapters were loaded from, by name.
    var directories: [String: String] { shelf.directories }

    /// Content ids by name.
    var contents: [String: String] { shelf.contents }

    /// Called after every change, until the library is gone.
    func onChange(_ changed: @escaping @Sendable () -> Void) { shelf.onChange(changed) }
}

/// What the library's thread and its callers share.
final class AdapterShelf: Sendable {
    private struct State {
        var adapters: [String: LowRankAdapter] = [:]
        var directories: [String: String] = [:]
        var changed: (@Sendable () -> Void)?
    }

    private let model: ResidentModel
    private let modelName: String
    private let options: AdapterLibrary.Options
    private let state = Mutex(State())
    /// Packs matrices on the thread that asks, so that the engine's threads are left alone.
    private let device = Device(threadCount: 1)

    init(model: ResidentModel, modelName: String, options: AdapterLibrary.Options) {
        (self.model, self.modelName, self.options) = (model, modelName, options)
    }

    var directories: [String: String] { state.withLock { $0.directories } }

    var contents: [String: String] { state.withLock { $0.adapters.mapValues(\.contentID) } }

    func onChange(_ changed: @escaping @Sendable () -> Void) { state.withLock { $0.changed = changed } }

    func adapter(_ name: String) throws -> LowRankAdapter {
        guard let adapter = state.withLock({ $0.adapters[name] }) else { throw notFound(name, field: "adapter") }
        return adapter
    }

    func adapters(contents: Set<String>) throws -> [String: LowRankAdapter] {
        let found = state.withLock { state in
            Dictionary(state.adapters.values.map { ($0.contentID, $0) }) { first, _ in first }
        }
        return try Dictionary(
            uniqueKeysWithValues: contents.map { content in
                guard let adapter = found[content] else {
                    throw RPCError(
                        .notFound, "the adapter \(content.prefix(12)) is not here", reason: RPCError.noAdapterReason,
                        field: "adapter", notStarted: true)
                }
                return (content, adapter)
            })
    }

    private func directory(_ request: Wire.LoadAdapterRequest) throws -> String {
        guard let folder = options.folder else {
            throw RPCError(
                .failedPrecondition, "this instance was started without a folder of adapters (--adapter-folder)",
                reason: "adapters_disabled")
        }
        return try AdapterFolder(folder).directory(request.path)
    }

    /// The model's name, where the adapter is for it.
    ///
    /// - Throws: `RPCError` as ``load(_:_:)``.
    func checkedModel(_ request: Wire.LoadAdapterRequest) throws -> String {
        if request.model.isEmpty {
            try checkBase(directory(request))
        } else if request.model != modelName {
            throw otherModel(request.model)
        }
        return modelName
    }

    /// - Parameter elsewhere: what the other parts of the model have of it.
    /// - Throws: `RPCError`: FAILED_PRECONDITION where nothing is loaded on request, or for another model's adapter;
    ///   NOT_FOUND for a path that leads nowhere in the folder; and as the other `load`.
    func load(
        _ request: Wire.LoadAdapterRequest, _ elsewhere: LaterShardClients.Held?
    ) throws -> Wire.LoadAdapterReply {
        let directory = try directory(request)
        _ = try checkedModel(request)
        return try load(request.name, directory: directory, elsewhere)
    }

    /// - Throws: `RPCError`: ALREADY_EXISTS when the name has another content; RESOURCE_EXHAUSTED beyond the limits;
    ///   INVALID_ARGUMENT that says what is wrong with the name or the files; FAILED_PRECONDITION where other parts of the
    ///   model have another one.
    func load(
        _ name: String, directory: String, _ elsewhere: LaterShardClients.Held? = nil
    ) throws -> Wire.LoadAdapterReply {
        guard name != modelName, (1...200).contains(name.utf8.count),
            name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw RPCError(
                .invalidArgument,
                "an adapter needs a name of its own, of 1 to 200 bytes, without control characters",
                reason: "invalid_request", field: "name")
        }
        let (count, bytes) = state.withLock { state in
            // Under several names an adapter is held once.
            let others = Dictionary(
                state.adapters.filter { $0.key != name }.map { ($1.contentID, $1.byteCount) }, uniquingKeysWith: max)
            return (others.count, others.values.reduce(0, +))
        }
        guard count < options.countLimit else {
            throw RPCError(
                .resourceExhausted, "\(count) adapters are loaded, the limit is \(options.countLimit): unload one",
                reason: "adapter_limit")
        }
        let model = try model.current()
        var adapter: LowRankAdapter
        do throws(TextModelError) {
            adapter = try LowRankAdapter(
                directory: directory, for: model, byteLimit: max(0, options.byteLimit - bytes), on: device)
        } catch {
            throw RPCError(adapter: error)
        }
        if let elsewhere, elsewhere.contentID != adapter.contentID {
            throw RPCError(
                .failedPrecondition, "processes with other layers of the model have another adapter at this path",
                reason: "adapters_differ", field: "path")
        }
        adapter.lease = elsewhere?.lease
        let (wasLoaded, changed) = try state.withLock { [adapter] state in
            if let existing = state.adapters[name] {
                guard existing.contentID == adapter.contentID else {
                    throw RPCError(
                        .alreadyExists, "another adapter has the name: unload it first", reason: "adapter_exists",
                        field: "name")
                }
                return (true, state.changed)
            }
            var own = state.adapters.values.first { $0.contentID == adapter.contentID } ?? adapter
            own.lease = adapter.lease
            state.adapters[name] = own
            state.directories[name] = directory
            return (false, state.changed)
        }
        if !wasLoaded { changed?() }
        return Wire.LoadAdapterReply(
            model: modelName, contentID: adapter.contentID, size: adapter.byteCount, wasLoaded: wasLoaded)
    }

    func unload(_ request: Wire.UnloadAdapterRequest) throws {
        guard request.model == modelName else { throw otherModel(request.model) }
        let (removed, changed) = state.withLock { state in
            state.directories[request.name] = nil
            return (state.adapters.removeValue(forKey: request.name), state.changed)
        }
        guard removed != nil else { throw notFound(request.name, field: "name") }
        changed?()
    }

    /// Names and directories of checkpoints differ from machine to machine: the last component is compared.
    private func checkBase(_ directory: String) throws {
        let base: String?
        do throws(TextModelError) { base = try LowRankAdapter.baseModel(directory: directory) } catch {
            throw RPCError(adapter: error)
        }
        guard let base, base == modelName || base.split(separator: "/").last.map({ String($0) }) == modelName else {
            throw RPCError(
                .failedPrecondition, "the adapter's configuration names \"\(base?.prefix(200) ?? "no model")\"",
                reason: "other_base_model", field: "model")
        }
    }

    private func otherModel(_ name: String) -> RPCError {
        RPCError(.notFound, "this instance serves \"\(modelName)\"", reason: "model_not_found", field: "model")
    }

    private func notFound(_ name: String, field: String) -> RPCError {
        RPCError(
            .notFound, "there is no adapter \"\(name.prefix(200))\" of \"\(modelName)\" here",
            reason: RPCError.noAdapterReason, field: field)
    }
}

extension RPCError {
    static let noAdapterReason = "adapter_not_found"

    /// What is wrong with an adapter's files, as it crosses the wire.
    init(adapter error: TextModelError) {
        switch error.code {
        case .resourceExhausted: self.init(.resourceExhausted, error.message, reason: "adapter_limit")
        default: self.init(.invalidArgument, error.message, reason: "invalid_adapter", field: "path")
        }
    }
}
