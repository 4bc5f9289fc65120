import Synchronization

/// cos and sin of position × inverse frequency, in f32 as transformers computes them: `[positions, rotary/2]`.
///
/// Rows are computed when they are first needed: most sequences are far shorter than a context may be.
package final class RotaryTable: Sendable {
    package let rotary: Int
    let cosine: Tensor
    let sine: Tensor

    /// Whether elements 2i and 2i + 1 make a pair, in the place of i and i + rotary/2.
    let isInterleaved: Bool
    private let inverseFrequencies: [Float]
    private let scale: @Sendable (Int) -> Float
    /// Rows that are filled, for readers; it grows under the lock, after they are.
    private let filled = Atomic<Int>(0)
    private let filling = Mutex(())
    /// Rows are filled so many together.
    private static let step = 256

    /// - Parameters:
    ///   - inverseFrequencies: one for each pair of elements.
    ///   - scale: what cosines and sines of a position are multiplied by.
    package init(
        inverseFrequencies: [Float], positions: Int, isInterleaved: Bool = false,
        scale: @escaping @Sendable (Int) -> Float = { _ in 1 }
    ) throws(TensorError) {
        rotary = inverseFrequencies.count * 2
        (self.isInterleaved, self.inverseFrequencies, self.scale) = (isInterleaved, inverseFrequencies, scale)
        cosine = try Tensor(zeros: [positions, inverseFrequencies.count])
        sine = try Tensor(zeros: [positions, inverseFrequencies.count])
    }

    /// Sees to it that the first `count` rows are there.
    func fill(upTo count: Int) {
        guard filled.load(ordering: .acquiring) < count else { return }
        filling.withLock { _ in
            let first = filled.load(ordering: .relaxed)
            guard first < count else { return }
            let end = min((count + Self.step - 1) / Self.step * Self.step, cosine.rowCount)
            for position in first..<end { fill(position) }
            filled.store(end, ordering: .releasing)
        }
    }

    private func fill(_ position: Int) {
        let scale = scale(position), start = position * inverseFrequencies.count
        for (i, frequency) in inverseFrequencies.enumerated() {
            let angle = Float(position) * frequency
            // Double precision, rounded once: the same on every C library.
            cosine[start + i] = Float(cosineOf(Double(angle))) * scale
            sine[start + i] = Float(sineOf(Double(angle))) * scale
        }
    }
}
