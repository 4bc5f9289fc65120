package import Layers
package import Tensors

extension Tape {
    /// A norm of each row by frozen weights; its result is computed again on the way back.
    package func norm(_ x: Variable, _ norm: RMSNorm) throws(TensorError) -> Variable {
        try self.norm(x, weight: norm.weight, .init(epsilon: norm.epsilon, isCentered: false))
    }

    /// Norms each part of a row by itself: `[R, H·D]`, where the weight is `[D]`.
    package func norm(parts x: Variable, _ norm: RMSNorm) throws(TensorError) -> Variable {
        try self.norm(
            x, weight: norm.weight, .init(epsilon: norm.epsilon, isCentered: false), width: norm.weight.count)
    }

    /// RMSNorm (arXiv 1910.07467) or layer norm (arXiv 1607.06450) of each row, `[R, C]`.
    ///
    /// - Parameters:
    ///   - weight: `[C]`; bias too.
    ///   - trained: parameters whose values `weight` and `bias` are, where these are trained.
    ///   - width: of the parts of a row that are normed by themselves; whole rows by default.
    package func norm(
        _ x: Variable, weight: Tensor, bias: Tensor? = nil, trained: (weight: Parameter, bias: Parameter?)? = nil,
        _ kind: Device.NormKind, width: Int? = nil
    ) throws(TensorError) -> Variable {
        let device = device, parts = [x.rows * x.width / (width ?? x.width), width ?? x.width]
        func compute() throws(TensorError) -> Tensor {
            let input = try x.value(), y = try device.makeRows(x.rows, width: x.width)
            if kind.isCentered {
                device.layerNorm(
                    input.reshaped(parts), weight: weight, bias: bias, epsilon: kind.epsilon, into: y.reshaped(parts))
            } else {
                device.rmsNorm(input.reshaped(parts), weight: weight, epsilon: kind.epsilon, into: y.reshaped(parts))
            }
            return y
        }
        let result = Variable(
            try compute(), needsGradient: x.needsGradient || trained != nil, remake: records ? compute : nil)
        step(result) { dy throws(TensorError) in
            let input = try x.value().reshaped(parts), dy = dy.reshaped(parts)
            // Without anything to train below, the gradient is made for its statistics alone.
            let spare = x.needsGradient ? nil : try device.makeRows(x.rows, width: x.width)
            func gradient(_ sum: Tensor?, _ dx: Tensor) throws(TensorError) {
                let statistics = try device.normGradient(
                    of: input, weight: weight, kind, dy: dy, accumulates: sum != nil, into: dx.reshaped(parts))
                guard let trained else { return }
                device.addNormWeightGradient(
                    of: input, statistics: statistics, dy: dy, to: trained.weight.gradient,
                    bias: trained.bias?.gradient)
            }
            if let spare { try gradient(nil, spare) } else { try x.accumulate(on: device, gradient) }
        }
        return result
    }
}
