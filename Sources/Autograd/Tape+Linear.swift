package import Layers
package import Tensors

/// What is trained beside a frozen linear layer (LoRA, arXiv 2106.09685): y += s · B (A x). With magnitudes (DoRA, arXiv
/// 2402.09353) each output of W + s B A has a length of its own: y = m / ‖W + s B A‖ · (W + s B A) x + b.
package struct LowRankParameters {
    package let down: Parameter  // A, [r, K]
    package let up: Parameter  // B, [N, r]
    /// s.
    package let scale: Float
    /// The rows of B that are this layer's, where a file joins several layers in one matrix.
    package let outputs: Range<Int>
    package let magnitude: Parameter?  // m, [N]

    package init(down: Parameter, up: Parameter, scale: Float, outputs: Range<Int>, magnitude: Parameter? = nil) {
        (self.down, self.up, self.scale, self.outputs) = (down, up, scale, outputs)
        self.magnitude = magnitude
    }
}

extension Tape {
    /// y = x Wᵀ + b (+ s · B (A x)) (+ residual): `[R, K]` → `[R, N]`. W and b are frozen, whatever they are stored as.
    package func linear(
        _ x: Variable, _ layer: Linear, _ adapter: LowRankParameters?, residual: Variable? = nil
    ) throws(TensorError) -> Variable {
        if let adapter, let magnitude = adapter.magnitude {
            return try linear(x, layer, adapter, magnitude: magnitude, residual: residual)
        }
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

    /// With magnitudes m: u = (W + s B A) x and y = m/n · u + b, where n, the length of each row of W + s B A, counts as constant
    /// on the way back (section 4.3 of the paper), as in PEFT.
    private func linear(
        _ x: Variable, _ layer: Linear, _ adapter: LowRankParameters, magnitude: Parameter, residual: Variable?
    ) throws(TensorError) -> Variable {
        let device = device, (down, up) = (adapter.down.value, adapter.up.value.rows(adapter.outputs))
        let u = try keep(x.rows, width: layer.columns), y = try keep(x.rows, width: layer.columns)
        let inner = Device.Product(
            try PackedMatrix(down, on: device), into: try keep(x.rows, width: down.rowCount))  // s · A x, [R, r]
        try device.exactProduct(try x.value(), layer.weight, into: u, beside: inner)
        device.scale(inner.y, by: adapter.scale, into: inner.y)
        try device.matmul(inner.y, try PackedMatrix(up, on: device), residual: u, into: u)
        let norms = try device.rowNorms(of: layer.weight, plus: (up, down, adapter.scale))  // n, [N]
        let lengths = magnitude.value.rows(adapter.outputs)
        let factors = try Tensor(zip(lengths.floats, norms.floats).map { $0 / $1 }, shape: [layer.columns])
        device.scaleColumns(u, by: factors, bias: layer.bias, residual: try residual?.value(), into: y)
        let result = Variable(y, needsGradient: true), kept = inner.y
        step(result) { dy throws(TensorError) in
            let own = try Tensor(zeros: [layer.columns]), gradient = magnitude.gradient.rows(adapter.outputs)
            // dm = Σ dy · u / n: the gradient of a norm's weight whose rows have mean 0 and deviation 1.
            let statistics = try Tensor((0..<2 * x.rows).map { Float($0 % 2) }, shape: [x.rows, 2])
            device.addNormWeightGradient(of: u, statistics: statistics, dy: dy, to: own)
            for n in 0..<layer.columns { gradient[n] += own[n] / norms[n] }
            let du = try device.makeRows(x.rows, width: layer.columns)
            device.scaleColumns(dy, by: factors, into: du)
            try Self.gradients(layer, adapter, x, inner: kept, dy: du, on: device)
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
            try device.addProduct(dy, try x.value(), to: weight.gradient)
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
