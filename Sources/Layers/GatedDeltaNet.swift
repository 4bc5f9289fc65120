package import Tensors

/// One layer's linear attention by the gated delta rule (arXiv 2412.06464), as Qwen 3.5 has it: queries, keys and values
/// pass through a short convolution; the state is a matrix for each value head.
package struct GatedDeltaNet: Sendable {
    package struct Configuration: Sendable {
        /// C.
        package var hidden: Int
        package var keyHeads: Int
        /// A multiple of `keyHeads`.
        package var valueHeads: Int
        package var keyDim: Int
        /// A multiple of 16.
        package var valueDim: Int
        package var taps: Int
        package var activation: Device.Activation
        package var epsilon: Float
        /// Whether value heads that share a key head stand as far apart as there are key heads: llama.cpp's order.
        package var isTiled = false

        package init(
            hidden: Int, keyHeads: Int, valueHeads: Int, keyDim: Int, valueDim: Int, taps: Int,
            activation: Device.Activation, epsilon: Float
        ) {
            (self.hidden, self.keyHeads, self.valueHeads) = (hidden, keyHeads, valueHeads)
            (self.keyDim, self.valueDim, self.taps) = (keyDim, valueDim, taps)
            (self.activation, self.epsilon) = (activation, epsilon)
        }

        /// Outputs of the projections to queries (as to keys), and to values.
        var widths: (keys: Int, values: Int) { (keyHeads * keyDim, valueHeads * valueDim) }

        package func state(layers: Int) -> StateShape {
            var shape = StateShape(layers: layers, taps: taps, channels: 2 * widths.keys + widths.values)
            (shape.keyHeads, shape.valueHeads) = (keyHeads, valueHeads)
            (shape.keyDim, shape.valueDim, shape.isTiled) = (keyDim, valueDim, isTiled)
            return shape
        }
    }

    private let mixed: [Linear]  // queries, keys and values
    private let gate: Linear  // [values, C]
    private let decay: Linear  // [Hv, C]
    private let strength: Linear  // [Hv, C]
    private let convolutions: [ShortConvolution]  // of queries, keys and values
    private let rate: Tensor  // [Hv], above 0
    private let bias: Tensor  // [Hv]
    /// Norms of length 1 for queries, divided by √D besides, and for keys.
    private let queryNorm: RMSNorm
    private let keyNorm: RMSNorm
    private let outputNorm: RMSNorm  // [valueDim]
    private let output: Linear  // [C, values]
    private let layer: Int
    private let activation: Device.Activation

    /// - Parameters:
    ///   - layer: the layer's number among those here with a state.
    ///   - name: what stands before the names of its tensors, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, layer: Int, _ name: String, _ configuration: Configuration
    ) throws(TensorError) {
        let c = configuration.hidden, heads = configuration.valueHeads
        let (keys, values) = configuration.widths
        // Adapters were trained on heads in the other order.
        var loader = loader
        loader.hidesModules = configuration.isTiled && configuration.keyHeads != heads
        mixed = try loader.linears(name + "in_proj_qkv", parts: [keys, keys, values], inputs: c, bias: false)
        gate = try loader.linear(name + "in_proj_z", outputs: values, inputs: c, bias: false)
        decay = try loader.linear(name + "in_proj_a", outputs: heads, inputs: c, bias: false)
        strength = try loader.linear(name + "in_proj_b", outputs: heads, inputs: c, bias: false)
        output = try loader.linear(name + "out_proj", outputs: c, inputs: values, bias: false)
        convolutions = try ShortConvolution.parts(
            loader, name + "conv1d", channels: [keys, keys, values], taps: configuration.taps, bias: false)
        rate = try loader.decayRates(name + "A_log", count: heads)
        bias = try loader.vector(name + "dt_bias", count: heads)
        let d = Float(configuration.keyDim)
        func unit(_ scale: Float) throws(TensorError) -> RMSNorm {
            RMSNorm(
                weight: try Tensor(
                    Array(repeating: scale / d.squareRoot(), count: configuration.keyDim),
                    shape: [configuration.keyDim]),
                epsilon: 1e-6 / d)
        }
        queryNorm = try unit(1 / d.squareRoot())
        keyNorm = try unit(1)
        outputNorm = try RMSNorm(loader, name + "norm", count: configuration.valueDim, epsilon: configuration.epsilon)
        self.layer = layer
        activation = configuration.activation
    }

    package var matrices: [PackedMatrix] { (mixed + [gate, decay, strength, output]).map(\.weight) }

    /// y = attention(h) (+ residual), all `[R, C]`; `residual` may be `y`. Changes the states of its layer.
    package func callAsFunction(
        _ h: Tensor, _ rows: StateRows, _ adapters: AdapterRows, states: StateStorage, residual: Tensor? = nil,
        into y: Tensor, on device: Device
    ) throws(TensorError) {
        let joint = try Linear.together(mixed[0], mixed[1], mixed[2], h, adapters, on: device)
        let (z, a, b) = try Linear.together(gate, decay, strength, h, adapters, on: device)
        func convolved(_ x: Tensor, _ part: Int) throws(TensorError) -> Tensor {
            let y = try convolutions[part](x, rows, states: states, layer: layer, on: device)
            device.map(activation, y, into: y)
            return y
        }
        let q = try convolved(joint.0, 0), k = try convolved(joint.1, 1), v = try convolved(joint.2, 2)
        queryNorm(parts: q, on: device)
        keyNorm(parts: k, on: device)
        device.deltaGates(a, b, rate: rate, bias: bias)
        let attended = try device.makeRows(v.rowCount, width: v.width)
        device.deltaRule(q: q, k: k, v: v, decay: a, beta: b, rows: rows, states: states, layer: layer, into: attended)
        outputNorm(parts: attended, on: device)
        device.map(activation, z, times: attended, into: attended)
        try output(attended, adapters, residual: residual, into: y, on: device)
    }
}
