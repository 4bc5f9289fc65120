import Concurrency
import Foundation
import Synchronization
import Testing

@Suite struct FunctionExecutorTests {
    @Test func `tasks and their children run where the function runs them, and nowhere else`() async throws {
        let queue = BoundedQueue<@Sendable () -> Void>(capacity: 1_000)
        let lane = Lane()
        let thread = try DedicatedThread(name: "lane") {
            lane.identity.withLock { $0 = pthread_self() }
            while let work = queue.take() { work() }
        }
        let places = await withTaskExecutorPreference(FunctionExecutor { _ = queue.offer($0) }) {
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        let before = lane.isHere
                        await Task.yield()
                        return before && lane.isHere
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(places == [Bool](repeating: true, count: 10))
        #expect(!lane.isHere)
        queue.close()
        withExtendedLifetime(thread) {}
    }
}

/// Which thread is meant.
private final class Lane: Sendable {
    let identity = Mutex<pthread_t?>(nil)

    var isHere: Bool { identity.withLock { $0 } == pthread_self() }
}
