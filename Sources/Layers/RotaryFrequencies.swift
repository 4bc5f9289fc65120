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
        /// LongRoPE's (arXiv 2402.13753): stretches each wavelength by a factor of its own, one for each pair.
        case stretched([Double], attention: Float)
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
        case .stretched(let factors, let attention):
            precondition(
                factors.count == wavelengths.count, "\(factors.count) factors for \(wavelengths.count) wavelengths")
            inverse = zip(factors, wavelengths).map { 1 / (Float($0) * $1) }
            scale = attention
        }
    }

    /// LongRoPE's factor of attention for a context longer than the original one: √(1 + ln(factor) / ln(original)).
    package static func attentionFactor(_ factor: Double, originalContext: Int) -> Float {
        factor <= 1 ? 1 : Float((1 + log(factor) / log(Double(originalContext))).squareRoot())
    }

    /// Cosines and sines for so many positions.
    package func table(positions: Int) throws(TensorError) -> RotaryTable {
        try RotaryTable(inverseFrequencies: inverse, positions: positions, scale: scale)
    }
}
