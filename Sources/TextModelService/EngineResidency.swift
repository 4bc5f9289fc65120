import Concurrency
import Messages
import ModelServing
import RPC
import Synchronization
import TextGeneration
package import TextModels

/// When an engine lets its model go, and how the model comes back.
package struct IdleUnload: Sendable {
    /// For how long nobody has asked then.
    package var after: Duration
    /// Whether the model goes at once when it has been looked at.
    var startsAway = false
    /// Loads the model as it was, on the engine's thread.
    ///
    /// - Throws: `RPCError`, which those get that wait.
    var load: @Sendable () throws -> (loaded: LoadedText, drafts: LoadedModel?)
    /// Is told when the model has gone (true), and when it is there again (false).
    var told: @Sendable (_ isUnloaded: Bool) -> Void
}

/// The model of an engine, for whoever needs it beside the engine: it is there as long as the engine has it, and longer
/// for those that have asked it to stay.
package final class ResidentModel: Sendable {
    private struct State {
        var model: (any TextModel)?
        var isUnloaded = false
        var pins = 0
    }

    private let state: Mutex<State>

    package init(_ model: any TextModel) { state = Mutex(State(model: model)) }

    /// - Throws: `RPCError` UNAVAILABLE while the model is unloaded.
    func current() throws -> any TextModel {
        guard let model = state.withLock({ $0.model }) else {
            throw RPCError(
                .unavailable, "the model is unloaded, for nobody has asked for it; try again",
                retryAfter: .seconds(1), notStarted: true)
        }
        return model
    }

    /// The engine has another model, or none.
    func set(_ model: (any TextModel)?) {
        state.withLock { state in
            state.isUnloaded = model == nil
            if model != nil || state.pins == 0 { state.model = model }
        }
    }

    /// A model that comes, or is there, stays until `body` has ended.
    func staying<Result>(_ body: () async throws -> Result) async throws -> Result {
        state.withLock { $0.pins += 1 }
        defer {
            state.withLock { state in
                state.pins -= 1
                if state.pins == 0, state.isUnloaded { state.model = nil }
            }
        }
        return try await body()
    }
}

/// The loop of an engine's thread, which has the engine's core.
protocol EngineLoop {
    /// What it has learned of its steps; a later loop goes on from it.
    var forecast: AdmissionForecast { get }

    /// - Parameters:
    ///   - first: requests that have been taken already.
    ///   - limit: for how long nobody asks before it returns; nil for ever.
    /// - Returns: whether nobody has asked for so long; otherwise the queue is closed and everything in it has ended.
    mutating func run(
        _ queue: BoundedQueue<TextEngine.Job>, first: [TextEngine.Job], idleLimit limit: Duration?
    ) -> Bool
}

/// The life of an engine's thread: it serves; when nobody has asked for long it lets loop and core go, with all of their
/// memory; and the next request brings them back. Requests that come meanwhile wait in the queue.
struct EngineResidency<Loop: EngineLoop> {
    let queue: BoundedQueue<TextEngine.Job>
    let admission: Admission
    let idleLimit: Duration?
    /// Of the first time.
    var firstLimit: Duration?
    var forecast: AdmissionForecast
    /// Makes the loop; the first time with the core that is there, then with one that is loaded again.
    let make: (AdmissionForecast) throws -> Loop
    let letGo: () -> Void

    mutating func run() {
        var waiting: [TextEngine.Job] = []
        while true {
            do {
                guard try serve(&waiting) else { return }
                letGo()
                // What was freed in small pieces, the tokenizer's above all, goes back to the system too.
                HeapMemory.giveBack()
            } catch {
                let error = error as? RPCError ?? RPCError(.internalError, "\(error)", notStarted: true)
                for job in waiting + queue.takeAll() {
                    admission.withdraw(job.ticket)
                    job.done.resume(throwing: error)
                }
            }
            guard let next = queue.take() else { return }
            waiting = [next]
        }
    }

    /// The loop lives in here only.
    private mutating func serve(_ waiting: inout [TextEngine.Job]) throws -> Bool {
        var loop = try make(forecast)
        let first = waiting
        waiting = []
        defer { forecast = loop.forecast }
        let limit = firstLimit ?? idleLimit
        firstLimit = nil
        return loop.run(queue, first: first, idleLimit: limit)
    }
}
