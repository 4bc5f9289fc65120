internal import Foundation
package import Tensors

/// How fast RoPE (arXiv 2104.09864) turns each pair of elements of a head, in f32 as transformers computes it.
package struct RotaryFrequencies: Sendable {
    /// How a checkpoint stretches the rotation for longer texts.
    package enum Scaling: Sendable {
        case none
        /// Divides every frequency.
        case linear(factor: Float)
        /// Llama 3.1's: divides the frequencies of long wavelengths, keeps those of short ones, interpolates between.
        case llama3(factor: Float, low: Float, high: Float, originalContext: Float)
        /// YaRN (arXiv 2309.00071): divides the frequencies that turn less than `slow` times in the original context, keeps
        /// those that turn more than `fast` times, interpolates between. `truncates` takes whole pairs as the bounds.
        case yarn(
            factor: Double, attention: Float, fast: Double, slow: Double, originalContext: Double, truncates: Bool)
        /// LongRoPE's (arXiv 2402.13753): stretches each wavelength by a factor of its own, one for each pair.
        case stretched([Double], attention: Float)
        /// Gemma 4's: of all pairs the first `pairs` turn, as if all did; the others stand still.
        case proportional(pairs: Int, factor: Float)
    }

    /// Radians a position, one for each pair that is turned; the elements behind them stay as they are.
    package var inverse: [Float]
    /// What cosines and sines are multiplied by.
    package var scale: Float = 1

    /// - Parameters:
    ///   - base: θ.
    ///   - width: how many elements of a head are turned; even.
    /// - Precondition: `stretched` has `width / 2` factors.
    package init(base: Double, width: Int, scaling: Scaling = .none) {
        let wavelengths = (0..<width / 2).map { powf(Float(base), Float(2 * $0) / Float(width)) }
        let plain = wavelengths.map { 1 / $0 }
        switch scaling {
        case .none: inverse = plain
        case .linear(let factor): inverse = plain.map { $0 / factor }
        case .llama3(let factor, let low, let high, let context):
            inverse = plain.map { frequency in
                let wavelength = 2 * Float.pi / frequency
                if wavelength > context / low { return frequency / factor }
                if wavelength < context / high { return frequency }
                let smooth = (context / wavelength - low) / (high - low)
                return (1 - smooth) * frequency / factor + smooth * frequency
            }
        case .yarn(let factor, let attention, let fast, let slow, let context, let truncates):
            // The pair that turns so often in the original context.
            func pair(_ turns: Double) -> Double {
                Double(width) * log(context / (turns * 2 * .pi)) / (2 * log(base))
            }
            let bounds = truncates ? (pair(fast).rounded(.down), pair(slow).rounded(.up)) : (pair(fast), pair(slow))
            let low = Float(max(bounds.0, 0))
            let high = Float(min(bounds.1, Double(width - 1)))
            inverse = wavelengths.enumerated().map { index, wavelength in
                let ramp = (Float(index) - low) / (high == low ? 0.001 : high - low)
                let kept = 1 - min(max(ramp, 0), 1)
                return 1 / (Float(factor) * wavelength) * (1 - kept) + 1 / wavelength * kept
            }
            scale = attention
        case .stretched(let factors, let attention):
            precondition(
                factors.count == wavelengths.count, "\(factors.count) factors for \(wavelengths.count) wavelengths")
            inverse = zip(factors, wavelengths).map { 1 / (Float($0) * $1) }
            scale = attention
        case .proportional(let pairs, let factor):
            inverse = plain.enumerated().map { $0 < pairs ? $1 / factor : 0 }
        }
    }

    /// LongRoPE's factor of attention for a context longer than the original one: √(1 + ln(factor) / ln(original)).
    package static func attentionFactor(_ factor: Double, originalContext: Int) -> Float {
        factor <= 1 ? 1 : Float((1 + log(factor) / log(Double(originalContext))).squareRoot())
    }

    /// YaRN's factor of attention, 0.1 · m · ln(factor) + 1.
    package static func yarnAttention(_ factor: Double, _ m: Double = 1) -> Double {
        factor <= 1 ? 1 : 0.1 * m * log(factor) + 1
    }

    /// Cosines and sines for so many positions.
    ///
    /// - Parameters:
    ///   - isInterleaved: whether elements 2i and 2i + 1 make a pair, in the place of i and i + width/2.
    ///   - times: what those of a position are multiplied by besides.
    package func table(
        positions: Int, isInterleaved: Bool = false, times: (@Sendable (Int) -> Float)? = nil
    ) throws(TensorError) -> RotaryTable {
        let scale = scale
        return try RotaryTable(
            inverseFrequencies: inverse, positions: positions, isInterleaved: isInterleaved
        ) { position in times.map { scale * $0(position) } ?? scale }
    }
}
