import Foundation
import Synchronization
import Testing

@testable import Concurrency

@Suite struct WorkerPoolTests {
    @Test(arguments: [1, 2, 3, 8], [0, 1, 7, 1_000])
    func `every element is computed exactly once`(threads: Int, count: Int) {
        let pool = WorkerPool(threadCount: threads)
        var hits = [Int32](repeating: 0, count: count)
        for _ in 0..<20 {
            hits.withUnsafeMutableBufferPointer { buffer in
                pool.run(
                    { context, begin, end in
                        guard let context else { return }
                        let hits = UnsafeMutablePointer(mutating: context.assumingMemoryBound(to: Int32.self))
                        for i in begin..<end { hits[i] += 1 }
                    }, context: UnsafeRawPointer(buffer.baseAddress), count: count)
            }
        }
        #expect(hits.allSatisfy { $0 == 20 })
    }

    @Test func `a pool's threads end with it`() throws {
        func threads() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
        let before = try threads()
        for _ in 0..<300 { _ = WorkerPool(threadCount: 2) }
        // Other tests run threads meanwhile, but not so many.
        #expect(try threads() - before < 150)
    }
}
