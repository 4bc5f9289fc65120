import Foundation
import Tensors

/// How far keys are from their query, in buckets (arXiv 1910.10683): half of them for those behind it, half for those
/// before it; small distances have one each, larger ones share them up to the farthest.
struct DistanceBuckets: Sendable {
    let count: Int
    private static let farthest: Float = 128

    /// - Parameter distance: from query to key.
    func number(_ distance: Int) -> Int {
        let half = count / 2, exact = half / 2, far = abs(distance)
        let side = distance > 0 ? half : 0
        guard far >= exact else { return side + far }
        // In f32, as PyTorch computes it.
        let share = logf(Float(far) / Float(exact)) / Float(log(Double(Self.farthest) / Double(exact)))
        return side + min(exact + Int(share * Float(half - exact)), half - 1)
    }

    /// - Parameter table: `[count, heads]`.
    func bias(_ table: Tensor, reach: Int) throws(TensorError) -> DistanceBias {
        let values = table.floats
        return try DistanceBias(heads: table.width, reach: reach) { head, distance in
            values[number(distance) * table.width + head]
        }
    }
}
