import Logging
import Messages
import RPC
import StateKeeping
import Synchronization

/// The work that the gateway does while no client waits for it.
struct GatewayWork: Sendable {
    let responses: BackgroundResponses
    let batches: BatchWork
    let fineTuning: FineTuningWork
    let learned: LearnedRoutes
    let signal: WorkSignal

    /// Responses that are made at a time.
    private static let limit = 64
    private static let interval: Duration = .milliseconds(500)

    /// Takes on work until the task is cancelled; what is under way then is left to other gateways.
    func run() async {
        var isFailing = false
        let (making, answering) = (Count(), Count())
        await withDiscardingTaskGroup { group in
            func start(_ count: Count, _ work: @escaping @Sendable () async -> Void) {
                count.add(1)
                group.addTask {
                    await work()
                    count.add(-1)
                    signal.signal()
                }
            }
            group.addTask { await fineTuning.models.keep() }
            group.addTask { await learned.keep() }
            while !Task.isCancelled {
                do {
                    let room = Self.limit - making.value
                    for document in room > 0 ? try await responses.claim(limit: room) : [] {
                        start(making) { await responses.make(document) }
                    }
                    for document in try await batches.claimLines(running: answering.value) {
                        start(answering) { await batches.answer(document) }
                    }
                    for document in try await batches.claimBatches() {
                        group.addTask { await batches.advance(document) }
                    }
                    for document in try await fineTuning.claim() {
                        group.addTask { await fineTuning.advance(document) }
                    }
                    isFailing = false
                } catch {
                    if !isFailing, !Task.isCancelled {
                        Logger(label: "nephele-gateway").error("work that may be there cannot be read: \(error)")
                    }
                    isFailing = true
                }
                await signal.wait(atMost: Self.interval)
            }
            group.cancelAll()
        }
    }

    private final class Count: Sendable {
        private let number = Mutex(0)
        var value: Int { number.withLock { $0 } }
        func add(_ more: Int) { number.withLock { $0 += more } }
    }
}
