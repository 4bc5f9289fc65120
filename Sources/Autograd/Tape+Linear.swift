package import Layers
package import Tensors

/// What is trained beside a frozen linear layer (LoRA, arXiv 2106.09685): y += s · B (A x).
package struct LowRankParameters {
    package let down: Parameter  // A, [r, K]
    package let up: Parameter  // B, [N, r]
    /// s.
    package let scale: Float
    /// The rows of B that are this layer's, where a file joins several layers in one matrix.
    package let outputs: Range<Int>

    package init(down: Parameter, up: Parameter, scale: Float, outputs: Range<Int>) {
        (self.down, self.up, self.scale, self.outputs) = (down, up, scale, outputs)
    }
}

extension Tape {
    /// y = x Wᵀ + b (+ s · B (A x)) (+ residual): `[R, K]` → `[R, N]`. W and b are frozen, whatever they are stored as.
    package func linear(
        _ x: Variable, _ layer: Linear, _ adapter: LowRankParameters?, residual: Variable? = nil
    ) throws(TensorError) -> Variable {
        let y = try keep(x.rows, width: layer.columns), input = try x.value(), device = device
        let inner = try adapter.map { adapter throws(TensorError) in
            Device.Product(
                try PackedMatrix(adapter.down.value, on: device),
                into: try keep(x.rows, width: adapter.down.value.rowCount))  // s · A x, [R, r]
        }
        try device.exactProduct(
            input, layer.weight, bias: layer.bias, residual: try residual?.value(), into: y, beside: inner)
        if let adapter, let inner {
            device.scale(inner.y, by: adapter.scale, into: inner.y)
            let up = try PackedMatrix(adapter.up.value.rows(adapter.outputs), on: device)
            try device.matmul(inner.y, up, residual: y, into: y)
        }
        let result = Variable(
            y, needsGradient: x.needsGradient || adapter != nil || residual?.needsGradient ?? false)
        let kept = inner?.y
        step(result) { dy throws(TensorError) in
            if let adapter, let kept {
                try Self.gradients(layer, adapter, x, inner: kept, dy: dy, on: device)
            } else {
                try x.accumulate(on: device) { sum, dx throws(TensorError) in
                    try device.inputGradient(dy, layer.weight, residual: sum, into: dx)
                }
            }
            residual?.receive(dy, on: device)
        }
        return result
    }

    /// dB += dyᵀ (s A x), dA += (s dy B)ᵀ x, dx += dy W + (s dy B) A.
    private static func gradients(
        _ layer: Linear, _ adapter: LowRankParameters, _ x: Variable, inner: Tensor, dy: Tensor, on device: Device
    ) throws(TensorError) {
        let (down, up) = (adapter.down, adapter.up.value.rows(adapter.outputs))
        device.outerProduct(dy, inner, accumulates: true, into: adapter.up.gradient.rows(adapter.outputs))
        let du = Device.Product(
            try PackedMatrix(up, transposed: true, on: device), into: try device.makeRows(x.rows, width: inner.width))
        if x.needsGradient {
            try x.accumulate(on: device) { sum, dx throws(TensorError) in
                try device.inputGradient(dy, layer.weight, residual: sum, into: dx, beside: du)
            }
        } else {
            try device.matmul(dy, du)
        }
        device.scale(du.y, by: adapter.scale, into: du.y)  // [R, r]
        device.outerProduct(du.y, try x.value(), accumulates: true, into: down.gradient)
        try x.accumulate(on: device) { sum, dx throws(TensorError) in
            try device.matmul(du.y, try PackedMatrix(down.value, transposed: true, on: device), residual: sum, into: dx)
        }
    }

    /// y = x Wᵀ (+ b) (+ residual), where W and b themselves are trained: `[R, K]` → `[R, N]`.
    package func linear(
        _ x: Variable, _ weight: Parameter, bias: Parameter? = nil, residual: Variable? = nil
    ) throws(TensorError) -> Variable {
        let y = try keep(x.rows, width: weight.value.rowCount)
        try device.matmul(
            try x.value(), try PackedMatrix(weight.value, on: device), bias: bias?.value,
            residual: try residual?.value(), into: y)
        let result = Variable(y, needsGradient: true), device = device
        step(result) { dy throws(TensorError) in
            device.outerProduct(dy, try x.value(), accumulates: true, into: weight.gradient)
            if let bias { device.addRowSum(dy, to: bias.gradient) }
            try x.accumulate(on: device) { sum, dx throws(TensorError) in
                try device.matmul(
                    dy, try PackedMatrix(weight.value, transposed: true, on: device), residual: sum, into: dx)
            }
            residual?.receive(dy, on: device)
        }
        return result
    }
}
