import Concurrency
import Messages
import RPC
import Synchronization
import TextModels

/// The revisions of one model that an instance has: the current one, which takes new calls, and older ones that end
/// what they run.
///
/// A new revision is loaded beside the old one, on a thread of its own, while that goes on serving. Then new calls are
/// the new one's. Calls that began on the old one elsewhere may still move here; it goes when it has had none for
/// a while.
package final class TextRevisions: Sendable {
    /// Makes a revision of what lies where the model was loaded from; nil when that is the current one still. Adapters
    /// of the current one that were loaded meanwhile are to be in it too.
    ///
    /// It throws `RPCError` that says why not; then all stays as it was.
    package typealias Loader = @Sendable (_ current: TextRevision) throws -> TextRevision?

    private struct State {
        var current: TextRevision
        var retiring: [TextRevision] = []
        var isLoading = false
        var changed: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>
    private let loader: Loader?
    private let linger: Duration

    /// - Parameters:
    ///   - linger: how long an old revision stays after its last call.
    ///   - loader: nil where models are not loaded again.
    package init(_ first: TextRevision, linger: Duration = .seconds(5), loader: Loader? = nil) {
        state = Mutex(State(current: first))
        self.linger = linger
        self.loader = loader
        observe(first)
    }

    var current: TextRevision { state.withLock { $0.current } }
    /// The current one first.
    var all: [TextRevision] { state.withLock { [$0.current] + $0.retiring } }

    /// - Parameter id: the numerics id that a call is meant for, if any.
    func revision(for id: String?) -> TextRevision {
        let all = all
        return id.flatMap { id in all.first { $0.serves(id) } } ?? all[0]
    }

    /// Called after every change of revisions and their adapters.
    func onChange(_ changed: @escaping @Sendable () -> Void) { state.withLock { $0.changed = changed } }

    private func observe(_ revision: TextRevision) {
        revision.adapters?.onChange { [weak self] in self?.notify() }
    }

    private func notify() { state.withLock { $0.changed }?() }

    /// Loads the model again.
    ///
    /// - Throws: `RPCError`: FAILED_PRECONDITION where that cannot be done or is being done; what the loader throws.
    func reload() async throws -> ReloadReply {
        guard let loader else {
            throw RPCError(
                .unimplemented, "this instance cannot load its model again: restart it", reason: "reload_unsupported")
        }
        let mayLoad = state.withLock { state in
            defer { state.isLoading = true }
            return !state.isLoading
        }
        guard mayLoad else {
            throw RPCError(
                .failedPrecondition, "the model is being loaded right now; ask again when that is done",
                reason: "reload_under_way")
        }
        defer { state.withLock { $0.isLoading = false } }
        let current = current
        let loaded = try await Self.onOwnThread { try loader(current) }
        guard let loaded else { return ReloadReply(revision: current.revision, isUnchanged: true) }
        observe(loaded)
        state.withLock { state in
            state.retiring.append(state.current)
            state.current = loaded
        }
        notify()
        retire(current)
        return ReloadReply(revision: loaded.revision, isUnchanged: false)
    }

    private static func onOwnThread(
        _ load: @escaping @Sendable () throws -> TextRevision?
    ) async throws -> TextRevision? {
        try await withCheckedThrowingContinuation { done in
            do {
                _ = try DedicatedThread(name: "model-loader") { done.resume(with: Result { try load() }) }
            } catch {
                done.resume(
                    throwing: RPCError(.resourceExhausted, "no thread to load with: \(error)", retryAfter: .seconds(1)))
            }
        }
    }

    /// Lets the revision go once nobody has needed it for `linger`.
    private func retire(_ revision: TextRevision) {
        Task { [weak self, linger] in
            var seen = -1
            while true {
                let started = revision.engine.startedCalls
                if revision.engine.runningCalls == 0, started == seen { break }
                seen = started
                try await Task.sleep(for: linger)
            }
            self?.state.withLock { state in state.retiring.removeAll { $0.numericsID == revision.numericsID } }
            self?.notify()
        }
    }
}

extension TextRevision {
    /// For people.
    var revision: String { String(numericsID.prefix(12)) }
}
