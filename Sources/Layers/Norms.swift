package import Tensors

/// Root mean square norm (arXiv 1910.07467): y = w · x / √(mean(x²) + ε), row by row.
package struct RMSNorm: Sendable {
    package let weight: Tensor  // [C]
    package let epsilon: Float

    package init(weight: Tensor, epsilon: Float) { (self.weight, self.epsilon) = (weight, epsilon) }

    /// - Parameter isOffset: whether a file of Hugging Face's layout holds w − 1 (Gemma).
    /// - Throws: `TensorError` that names the tensor.
    package init(
        _ loader: WeightLoader, _ name: String, count: Int, epsilon: Float, isOffset: Bool = false
    ) throws(TensorError) {
        let vector = try loader.vector(name + ".weight", count: count)
        weight =
            isOffset && loader.checkpoint.layout == .huggingFace
            ? try Tensor(vector.floats.map { 1 + $0 }, shape: [count]) : vector
        self.epsilon = epsilon
    }

    /// `[R, C]` → `y` `[R, C]`, which may be `x`.
    package func callAsFunction(_ x: Tensor, into y: Tensor, on device: Device) {
        device.rmsNorm(x, weight: weight, epsilon: epsilon, into: y)
    }

    /// Norms each part of a row by itself, in place: `[R, H·D]`, where the weight is `[D]`.
    package func callAsFunction(parts x: Tensor, on device: Device) {
        let parts = x.reshaped([x.count / weight.count, weight.count])  // [R·H, D]
        self(parts, into: parts, on: device)
    }
}

/// Layer norm (arXiv 1607.06450): y = w · (x − mean(x)) / √(var(x) + ε) + b, row by row.
package struct LayerNorm: Sendable {
    package let weight: Tensor  // [C]
    package let bias: Tensor?  // [C]
    package let epsilon: Float

    /// - Throws: `TensorError` that names the tensor.
    package init(
        _ loader: WeightLoader, _ name: String, count: Int, epsilon: Float, hasBias: Bool = true
    ) throws(TensorError) {
        // What files of TensorFlow's time call them.
        let isOld = loader.checkpoint.contains(loader.fileName(name + ".gamma"))
        weight = try loader.vector(name + (isOld ? ".gamma" : ".weight"), count: count)
        bias = hasBias ? try loader.vector(name + (isOld ? ".beta" : ".bias"), count: count) : nil
        self.epsilon = epsilon
    }

    /// `[R, C]` → `y` `[R, C]`, which may be `x`.
    package func callAsFunction(_ x: Tensor, into y: Tensor, on device: Device) {
        device.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: y)
    }
}
