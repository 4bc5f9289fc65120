package import Tensors

/// One layer's gated feed-forward (arXiv 2002.05202): down(activation(gate(h)) · up(h)).
package struct GatedFeedForward: Sendable {
    package struct Configuration: Sendable {
        /// F.
        package var width: Int
        package var activation: Device.Activation
        package var bias = false
        /// Whether one matrix holds gate and up, in that order.
        package var isJoint = false

        package init(width: Int, activation: Device.Activation) { (self.width, self.activation) = (width, activation) }
    }

    package let gate: Linear  // [F, C]
    package let up: Linear  // [F, C]
    package let down: Linear  // [C, F]
    package let activation: Device.Activation

    /// - Parameter name: what stands before the names of its matrices, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, _ name: String, _ configuration: Configuration, hidden c: Int
    ) throws(TensorError) {
        let f = configuration.width, biased = configuration.bias
        if configuration.isJoint {
            let joint = try loader.linears(name + "gate_up_proj", parts: [f, f], inputs: c, bias: biased)
            (gate, up) = (joint[0], joint[1])
        } else {
            gate = try loader.linear(name + "gate_proj", outputs: f, inputs: c, bias: biased)
            up = try loader.linear(name + "up_proj", outputs: f, inputs: c, bias: biased)
        }
        down = try loader.linear(name + "down_proj", outputs: c, inputs: f, bias: biased)
        activation = configuration.activation
    }

    package var matrices: [PackedMatrix] { [gate, up, down].map(\.weight) }

    /// y = feed-forward(h) (+ residual), all `[R, C]`; `residual` may be `y`.
    package func callAsFunction(
        _ h: Tensor, _ adapters: AdapterRows, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        let (gated, raised) = try Linear.together(gate, up, h, adapters, on: device)  // [R, F] each
        device.map(activation, gated, times: raised, into: gated)
        try down(gated, adapters, residual: residual, into: y, on: device)
    }
}
