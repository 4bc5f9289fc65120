import Logging
import Messages
import StateKeeping
import Synchronization

/// The work that the gateway does while no client waits for it.
struct GatewayWork: Sendable {
    let responses: BackgroundResponses
    let signal: WorkSignal

    /// Responses that are made at a time.
    private static let limit = 64
    private static let interval: Duration = .milliseconds(500)

    /// Takes on work until the task is cancelled; what is under way then is left to other gateways.
    func run() async {
        var isFailing = false
        let running = Count()
        await withTaskGroup(of: Void.self) { group in
            while !Task.isCancelled {
                do {
                    let room = Self.limit - running.value
                    let documents = room > 0 ? try await responses.claim(limit: room) : []
                    isFailing = false
                    for document in documents {
                        running.add(1)
                        group.addTask {
                            await responses.make(document)
                            running.add(-1)
                            signal.signal()
                        }
                    }
                } catch {
                    if !isFailing, !Task.isCancelled {
                        Logger(label: "nephele-gateway").error("there may be work that cannot be read: \(error)")
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
