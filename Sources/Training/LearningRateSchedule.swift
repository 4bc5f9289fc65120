import Foundation

/// What the learning rate is multiplied by at each step: a warm-up from 0, then the decay of transformers'
/// `get_SHAPE_schedule_with_warmup`.
package struct LearningRateSchedule: Sendable, Hashable, Codable {
    package enum Shape: String, Sendable, CaseIterable, Codable {
        /// 1 after the warm-up.
        case constant
        /// Down to the floor at the last step, evenly.
        case linear
        /// Down to the floor at the last step, along half a period of a cosine.
        case cosine
    }

    package var shape: Shape
    package var warmUp: Int
    package var total: Int
    /// What the factor is at the last step, within [0, 1] (`min_lr_rate` of transformers).
    package var floor: Double

    /// - Parameters:
    ///   - warmUp: steps of the warm-up.
    ///   - total: all steps, those of the warm-up too.
    package init(_ shape: Shape, warmUp: Int, total: Int, floor: Double = 0) {
        precondition(
            warmUp >= 0 && total >= 0 && (0...1).contains(floor),
            "a schedule of \(total) steps, \(warmUp) of warm-up, down to \(floor)")
        (self.shape, self.warmUp, self.total, self.floor) = (shape, warmUp, total, floor)
    }

    /// The factor at a step, counted from 0.
    package func factor(step: Int) -> Double {
        if step < warmUp { return Double(step) / Double(max(1, warmUp)) }
        let done = Double(step - warmUp) / Double(max(1, total - warmUp))
        return switch shape {
        case .constant: 1
        case .linear: floor + (1 - floor) * max(0, 1 - done)
        case .cosine: floor + (1 - floor) * max(0, 0.5 * (1 + cos(.pi * done)))
        }
    }
}
