internal import Concurrency
package import Messages
package import RPC
internal import Synchronization

/// What an instance serves under one model's name, and how it describes it.
package protocol ModelRevision: Sendable {
    /// The model first, then its adapters.
    var models: [ModelDescription] { get }
}

/// The revisions of one model that an instance has: the current one, and those that it has replaced, as long as calls
/// run on them.
///
/// A new revision is loaded beside the current one, on a thread of its own. From then on new calls get it, and the
/// description of the old one says that it retires. The old one goes when its last call has ended, and not before
/// every client must have heard of the new one: a call may be on its way to it.
package final class RevisionKeeper<Revision: ModelRevision>: Sendable {
    /// Loads what is at the model's place now.
    ///
    /// - Parameter current: what is served.
    /// - Returns: nil when that is the same.
    package typealias Loader = @Sendable (_ current: Revision) throws -> Revision?

    private struct Entry {
        let number: Int
        let revision: Revision
        var calls = 0
        /// Every client has heard that another one has taken its place.
        var mayGo = false
    }

    private struct State {
        /// The current one first.
        var entries: [Entry]
        var lastNumber = 0
        var isLoading = false
        var changed: (@Sendable () -> Void)?
    }

    private let name: String
    private let linger: Duration
    private let keepsPrevious: Bool
    private let load: Loader?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - name: the model's, for messages.
    ///   - linger: for which a replaced revision takes calls of clients that have not heard of it.
    ///   - keepsPrevious: whether a replaced revision stays until the next one comes, calls or no calls.
    ///   - load: nil where revisions are not replaced.
    package init(
        _ name: String, _ revision: Revision, linger: Duration = .seconds(5), keepsPrevious: Bool = false,
        load: Loader? = nil
    ) {
        (self.name, self.linger, self.keepsPrevious, self.load) = (name, linger, keepsPrevious, load)
        state = Mutex(State(entries: [Entry(number: 0, revision: revision)]))
    }

    package var current: Revision { state.withLock { $0.entries[0].revision } }

    /// All of them, the current one's first.
    package var models: [ModelDescription] {
        let revisions = state.withLock { $0.entries.map(\.revision) }
        return revisions.enumerated().flatMap { number, revision in
            revision.models.map { model in
                var model = model
                model.isRetiring = number > 0
                return model
            }
        }
    }

    /// Called after every change of `models`, until the keeper is gone.
    package func onChange(_ changed: @escaping @Sendable () -> Void) { state.withLock { $0.changed = changed } }

    // MARK: Calls

    /// Runs a call on the revision that it asks for, or else on the current one.
    ///
    /// - Throws: `RPCError` FAILED_PRECONDITION when that one has gone meanwhile; and what `body` throws.
    package func use<Result>(
        _ context: ServerContext, _ body: (Revision) async throws -> Result
    ) async throws -> Result {
        let (number, revision) = try begin(context.numericsID)
        defer { end(number) }
        return try await body(revision)
    }

    private func begin(_ numericsID: String?) throws -> (number: Int, revision: Revision) {
        let known = state.withLock { state in state.entries.map { (number: $0.number, revision: $0.revision) } }
        var wanted = known[0]
        // The server has looked whether the id is among those described.
        if let numericsID, known.count > 1 {
            guard let match = known.first(where: { $0.revision.models.contains { $0.numericsID == numericsID } }) else {
                throw RPCError.revisionGone(name)
            }
            wanted = match
        }
        let number = wanted.number
        let isThere = state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.number == number }) else { return false }
            state.entries[index].calls += 1
            return true
        }
        guard isThere else { throw RPCError.revisionGone(name) }
        return wanted
    }

    private func end(_ number: Int) {
        change { state in
            guard let index = state.entries.firstIndex(where: { $0.number == number }) else { return }
            state.entries[index].calls -= 1
        }
    }

    /// Lets what is free go, outside the lock, and tells of it.
    private func change(_ body: (inout State) -> Void) {
        let (gone, changed) = state.withLock { state -> ([Revision], (@Sendable () -> Void)?) in
            body(&state)
            let current = state.entries[0].number
            let gone = state.entries.filter { $0.number != current && $0.mayGo && $0.calls == 0 }
            if gone.isEmpty { return ([], nil) }
            state.entries.removeAll { entry in gone.contains { $0.number == entry.number } }
            return (gone.map(\.revision), state.changed)
        }
        if !gone.isEmpty { changed?() }
    }

    // MARK: Replacing

    /// Loads what is at the model's place now, and puts it in the current revision's.
    ///
    /// It is not given up half way when the caller goes.
    ///
    /// - Throws: `RPCError`: ABORTED while another reload runs, UNIMPLEMENTED where there is none; and what loading
    ///   throws. Then nothing has changed.
    package func reload() async throws -> Wire.ReloadReply {
        guard let load else {
            throw RPCError(
                .unimplemented, "\"\(name)\" is not reloaded while it runs; restart its services one by one",
                reason: "reload_unsupported")
        }
        let isBusy = state.withLock { state in
            defer { state.isLoading = true }
            return state.isLoading
        }
        guard !isBusy else {
            throw RPCError(
                .aborted, "another revision of \"\(name)\" is being loaded", reason: "reload_in_progress",
                retryAfter: .seconds(5), notStarted: true)
        }
        defer { state.withLock { $0.isLoading = false } }
        let current = current
        let previous = current.revisionName
        let start = ContinuousClock.now
        let loaded: Revision? = try await withCheckedThrowingContinuation { done in
            do {
                _ = try DedicatedThread(name: "model-loader", rank: .computing) {
                    done.resume(with: Result { try load(current) })
                }
            } catch {
                done.resume(throwing: RPCError(.resourceExhausted, "\(error)", notStarted: true))
            }
        }
        if let loaded { install(loaded) }
        return Wire.ReloadReply(
            revision: loaded?.revisionName ?? previous, previous: previous, duration: ContinuousClock.now - start)
    }

    private func install(_ revision: Revision) {
        let (number, changed) = state.withLock { state in
            state.lastNumber += 1
            if keepsPrevious { for index in state.entries.indices.dropFirst() { state.entries[index].mayGo = true } }
            state.entries.insert(Entry(number: state.lastNumber, revision: revision), at: 0)
            return (state.lastNumber, state.changed)
        }
        changed?()
        guard !keepsPrevious else { return change { _ in } }
        Task { [weak self, linger] in
            try? await Task.sleep(for: linger)
            self?.change { state in
                for index in state.entries.indices where state.entries[index].number < number {
                    state.entries[index].mayGo = true
                }
            }
        }
    }
}

extension ModelRevision {
    fileprivate var revisionName: String { models.first?.revision ?? "" }
}

extension RPCError {
    fileprivate static func revisionGone(_ name: String) -> RPCError {
        RPCError(
            .failedPrecondition, "the revision of \"\(name)\" that the call is for has gone",
            reason: "numerics_mismatch", notStarted: true)
    }
}
