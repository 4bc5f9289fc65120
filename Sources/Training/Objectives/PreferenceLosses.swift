import Foundation

/// The losses of preferences, and their slopes, from the log-probabilities of whole completions; in f64.
package enum PreferenceLosses {
    /// A loss and its slopes by the policy's log-probabilities.
    package struct Pair: Sendable, Hashable {
        package var loss: Double
        package var chosenSlope: Double
        package var rejectedSlope: Double
    }

    /// DPO (arXiv 2305.18290, equation 7): −log σ(β ((π_c − ref_c) − (π_r − ref_r))).
    package static func dpo(
        policy: (chosen: Double, rejected: Double), reference: (chosen: Double, rejected: Double), beta: Double
    ) -> Pair {
        let margin = beta * ((policy.chosen - reference.chosen) - (policy.rejected - reference.rejected))
        let slope = -beta * sigmoid(-margin)
        return Pair(loss: softplus(-margin), chosenSlope: slope, rejectedSlope: -slope)
    }

    /// KTO (arXiv 2402.01306, equation 8): w (1 − σ(β (π − ref − z))) of a desirable completion and w (1 − σ(β (z − π + ref)))
    /// of another, where z is how far the policy has gone from the reference; z has no slope.
    ///
    /// - Returns: the loss, and its slope by the policy's log-probability.
    package static func kto(
        policy: Double, reference: Double, isDesirable: Bool, divergence: Double, beta: Double, weight: Double
    ) -> (loss: Double, slope: Double) {
        let sign: Double = isDesirable ? 1 : -1
        let value = sigmoid(sign * beta * (policy - reference - divergence))
        return (weight * (1 - value), -weight * sign * beta * value * (1 - value))
    }

    /// z of a batch: the mean of π − ref over completions that belong to other prompts, never below 0.
    package static func divergence(policy: [Double], reference: [Double]) -> Double {
        max(0, zip(policy, reference).reduce(0) { $0 + $1.0 - $1.1 } / Double(max(1, policy.count)))
    }

    private static func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }

    /// log(1 + e^x).
    private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
