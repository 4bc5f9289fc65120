package import Tensors

extension Tape {
    /// activation(x) · factor, or activation(x) without one (a gated or a plain feed-forward, arXiv 2002.05202); computed
    /// again on the way back.
    package func map(
        _ activation: Device.Activation, _ x: Variable, times factor: Variable? = nil
    ) throws(TensorError) -> Variable {
        let device = device
        func compute() throws(TensorError) -> Tensor {
            let y = try device.makeRows(x.rows, width: x.width)
            device.map(activation, try x.value(), times: try factor?.value(), into: y)
            return y
        }
        let result = Variable(
            try compute(), needsGradient: x.needsGradient || factor?.needsGradient ?? false,
            remake: records ? compute : nil)
        step(result) { dy throws(TensorError) in
            let own = try factor.map { factor throws(TensorError) in
                try device.makeRows(factor.rows, width: factor.width)
            }
            device.mapGradient(
                activation, of: try x.value(), times: try factor?.value(), dy: dy, into: dy, factorGradient: own)
            x.receive(dy, on: device)
            if let own { factor?.receive(own, on: device) }
        }
        return result
    }

    /// x + scale · y.
    package func sum(_ x: Variable, _ y: Variable, scale: Float = 1) throws(TensorError) -> Variable {
        let sum = try keep(x.rows, width: x.width), device = device
        device.combine(try x.value(), try y.value(), scaleB: scale, into: sum)
        let result = Variable(sum, needsGradient: x.needsGradient || y.needsGradient)
        step(result) { dy throws(TensorError) in
            try y.accumulate(on: device) { sum, own throws(TensorError) in
                device.combine(sum ?? dy, dy, scaleA: sum == nil ? 0 : 1, scaleB: scale, into: own)
            }
            x.receive(dy, on: device)
        }
        return result
    }

    /// Rows `ids` of a table that is trained, `[V, C]` → `[R, C]`.
    package func embed(_ ids: [Int32], _ table: Parameter) throws(TensorError) -> Variable {
        let y = try keep(ids.count, width: table.value.width), device = device
        for (row, id) in ids.enumerated() {
            y.rows(row..<row + 1).copy(from: table.value.rows(Int(id)..<Int(id) + 1))
        }
        let result = Variable(y, needsGradient: true)
        step(result) { dy in device.scatterRows(dy, ids: ids, to: table.gradient) }
        return result
    }
}
