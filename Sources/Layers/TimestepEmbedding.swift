internal import Foundation
package import Tensors

/// A timestep as a vector: sines and cosines of it (arXiv 1706.03762), linear → SiLU → linear.
package struct TimestepEmbedding: Sendable {
    /// The sines and cosines of a timestep t: of t · 10000^(−i / (W/2 − shift)), in f32 as diffusers computes them.
    package struct Sinusoid: Sendable {
        private let frequencies: [Float]  // [W/2]
        private let cosinesFirst: Bool

        /// - Parameters:
        ///   - width: W, even.
        ///   - cosinesFirst: diffusers' `flip_sin_to_cos`.
        ///   - shift: diffusers' `freq_shift`.
        package init(width: Int, cosinesFirst: Bool, shift: Float) {
            let half = width / 2
            frequencies = (0..<half).map { i in
                let exponent = Float(-log(10_000.0)) * Float(i) / (Float(half) - shift)
                return Float(exp(Double(exponent)))
            }
            self.cosinesFirst = cosinesFirst
        }

        package var width: Int { 2 * frequencies.count }

        /// One row a timestep: `[B, W]`.
        func callAsFunction(_ timesteps: some Collection<Float>, on device: Device) throws(TensorError) -> Tensor {
            let half = frequencies.count, rows = try device.makeRows(timesteps.count, width: width)
            let (sines, cosines) = cosinesFirst ? (half, 0) : (0, half)
            var row = 0
            for timestep in timesteps {
                for i in 0..<half {
                    // In double precision, rounded once: the same on every C library.
                    let angle = Double(timestep * frequencies[i])
                    rows[row * width + sines + i] = Float(sin(angle))
                    rows[row * width + cosines + i] = Float(cos(angle))
                }
                row += 1
            }
            return rows
        }
    }

    private let sinusoid: Sinusoid
    private let first: Linear  // [N, W]
    private let second: Linear  // [N, N]

    /// - Parameter outputs: N, the vector's width.
    /// - Throws: `TensorError` that names the tensor.
    package init(_ loader: WeightLoader, _ name: String, _ sinusoid: Sinusoid, outputs: Int) throws(TensorError) {
        self.sinusoid = sinusoid
        first = try loader.linear(name + ".linear_1", outputs: outputs, inputs: sinusoid.width, bias: true)
        second = try loader.linear(name + ".linear_2", outputs: outputs, inputs: outputs, bias: true)
    }

    /// One vector a timestep: `[B, N]`.
    package func callAsFunction(
        _ timesteps: some Collection<Float>, on device: Device
    ) throws(TensorError) -> Tensor {
        let h = try first(try sinusoid(timesteps, on: device), AdapterRows(), on: device)  // [B, N]
        device.map(.silu, h, into: h)
        return try second(h, AdapterRows(), on: device)
    }
}
