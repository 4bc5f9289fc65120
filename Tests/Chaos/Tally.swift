import Foundation
import GatewayClient
import Synchronization

/// What became of the requests of one case.
final class Tally: Sendable {
    private let state = Mutex(ChaosResult())

    var result: ChaosResult { state.withLock { $0 } }

    func count(_ event: String) { state.withLock { $0.events[event, default: 0] += 1 } }
    func note(_ note: String) { state.withLock { $0.notes.append(note) } }
    func fail(_ what: String) { state.withLock { $0.failures.append(what) } }

    func add(requests: Int, different: Int) {
        state.withLock { state in
            state.requests += requests
            state.different += different
        }
    }

    /// Sends a request and holds its answer against those that were to be expected.
    func add(_ load: Load, _ expected: Set<String>, _ system: any ChaosSystem) async {
        do {
            let answer = try await load.send(system)
            state.withLock { state in
                state.requests += 1
                if !expected.contains(answer.content) { state.different += 1 }
                state.longestPause = max(state.longestPause, answer.longestPause)
            }
        } catch {
            state.withLock { state in
                state.requests += 1
                state.failures.append("\(load.name): \(error)")
            }
        }
    }

    /// Sends requests of all kinds as long as `body` runs.
    ///
    /// - Parameters:
    ///   - expected: answers to each kind of request.
    ///   - clients: for each kind.
    func underLoad(
        _ expected: [Set<String>], requests: [Load] = Load.requests, clients: Int = 2, _ system: any ChaosSystem,
        _ body: () async throws -> Void
    ) async throws {
        let isOver = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<clients * requests.count {
                let index = number % requests.count
                group.addTask {
                    while !isOver.isSet { await self.add(requests[index], expected[index], system) }
                }
            }
            do { try await body() } catch {
                isOver.set()
                throw error
            }
            isOver.set()
            try await group.waitForAll()
        }
    }
}

/// Once set, it stays so.
final class Flag: Sendable {
    private let state = Atomic(false)

    var isSet: Bool { state.load(ordering: .relaxed) }
    func set() { state.store(true, ordering: .relaxed) }
}
