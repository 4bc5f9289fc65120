import Dispatch
import Synchronization

/// Work on many values at once.
enum Parallel {
    /// The results in the order of the values, whichever thread made them.
    static func map<Value: Sendable, Result: Sendable>(
        _ values: [Value], threads: Int, _ transform: @Sendable (Value) -> Result
    ) -> [Result] {
        let size = max(1, min(64, values.count / max(1, 4 * threads)))
        let starts = Array(stride(from: 0, to: values.count, by: size))
        guard threads > 1, starts.count > 1 else { return values.map(transform) }
        let next = Atomic<Int>(0)
        let parts = Mutex([Int: [Result]]())
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let part = next.add(1, ordering: .relaxed).oldValue
                guard part < starts.count else { return }
                let results = values[starts[part]..<min(starts[part] + size, values.count)].map(transform)
                parts.withLock { $0[part] = results }
            }
        }
        let done = parts.withLock { $0 }
        return starts.indices.flatMap { done[$0] ?? [] }
    }
}
