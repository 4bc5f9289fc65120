import Concurrency
import DiffusionModels
import RPC
import Synchronization

/// Predicts the least time that a drawing takes, from the fastest step of each size so far. A drawing that cannot end in
/// time is refused before it takes time from others. Slow steps of a busy machine change nothing.
final class DrawingForecast: Sendable {
    /// Seconds of a pass over a pixel, by pixels a step: the fastest.
    private let fastest = Mutex<[Int: Double]>([:])
    private static let sizeLimit = 64

    func record(pixels: Int, duration: Duration) {
        let seconds = duration / .seconds(1) / Double(pixels)
        guard seconds > 0, seconds.isFinite else { return }
        fastest.withLock { fastest in
            guard fastest[pixels] != nil || fastest.count < Self.sizeLimit else { return }
            fastest[pixels] = min(fastest[pixels] ?? .infinity, seconds)
        }
    }

    /// Seconds that the rest of a drawing takes at least; nil before anything is known. A pixel of a larger picture takes no
    /// less time than one of a smaller picture, since each looks at all others.
    func least(_ job: DiffusionJob) -> Double? {
        let pixels = job.pixelsPerStep
        let each = fastest.withLock { $0.filter { $0.key <= pixels }.max { $0.key < $1.key }?.value }
        return each.map { $0 * Double(pixels) * Double(job.steps - job.completedSteps) }
    }

    /// - Throws: `RPCError` DEADLINE_EXCEEDED.
    func check(_ job: DiffusionJob, until deadline: MonotonicInstant?) throws {
        guard let deadline, let least = least(job) else { return }
        let left = (deadline - .now) / .seconds(1)
        guard least > left else { return }
        throw RPCError(
            .deadlineExceeded,
            "this drawing takes \(Int(least.rounded(.up))) s or more here, and its deadline is in \((max(0, left) * 10).rounded() / 10) s: give it fewer steps, a smaller size, or more time",
            notStarted: true)
    }
}
