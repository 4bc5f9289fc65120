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

    @Test(arguments: [1, 2, 3, 8], [0, 1, 7, 1_000, 100_003])
    func `an interruptible task is computed exactly once too`(threads: Int, count: Int) {
        let pool = WorkerPool(threadCount: threads)
        var hits = [Int32](repeating: 0, count: count)
        for grain in [1, 3, 64] {
            hits.withUnsafeMutableBufferPointer { buffer in
                pool.run(
                    { context, begin, end in
                        guard let context else { return }
                        let hits = UnsafeMutablePointer(mutating: context.assumingMemoryBound(to: Int32.self))
                        for i in begin..<end { hits[i] += 1 }
                    }, context: UnsafeRawPointer(buffer.baseAddress), count: count, grain: grain, unless: { false })
            }
        }
        #expect(hits.allSatisfy { $0 == 3 })
    }

    @Test(arguments: [1, 2, 4]) func `an interrupted task leaves the rest out`(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        let asked = Atomic(0)
        var hits = [Int32](repeating: 0, count: 100_000)
        hits.withUnsafeMutableBufferPointer { buffer in
            pool.run(
                { context, begin, end in
                    guard let context else { return }
                    let hits = UnsafeMutablePointer(mutating: context.assumingMemoryBound(to: Int32.self))
                    for i in begin..<end { hits[i] += 1 }
                }, context: UnsafeRawPointer(buffer.baseAddress), count: buffer.count, grain: 1,
                unless: { asked.add(1, ordering: .relaxed).newValue > 6 })
        }
        let done = hits.count { $0 == 1 }
        #expect(done > 0 && done < hits.count && hits.allSatisfy { $0 <= 1 })
        // And the next task is whole.
        let after = Atomic(0)
        withUnsafePointer(to: after) { pointer in
            pool.run(
                { context, begin, end in
                    context?.assumingMemoryBound(to: Atomic<Int>.self).pointee.add(end - begin, ordering: .relaxed)
                }, context: UnsafeRawPointer(pointer), count: 1_000)
        }
        #expect(after.load(ordering: .relaxed) == 1_000)
    }

    @Test func `a pool's threads end with it`() throws {
        func threads() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
        let before = try threads()
        for _ in 0..<300 { _ = WorkerPool(threadCount: 2) }
        // Other tests run threads meanwhile, but not so many.
        #expect(try threads() - before < 150)
    }
}
