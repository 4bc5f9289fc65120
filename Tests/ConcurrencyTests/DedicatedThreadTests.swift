import Foundation
import Synchronization
import Testing

@testable import Concurrency

@Suite struct DedicatedThreadTests {
    @Test func `a thread that computes lets others go before it`() throws {
        @Sendable func niceness() -> Int32 { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
        let own = niceness()
        let seen = Mutex<[Int32]>([])
        for rank in [DedicatedThread.Rank.computing, .serving] {
            let thread = try DedicatedThread(name: "test", rank: rank) { seen.withLock { $0.append(niceness()) } }
            thread.join()
        }
        #expect(seen.withLock { $0 } == [min(own + 5, 19), own])
    }
}
