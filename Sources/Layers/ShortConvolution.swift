package import Tensors

/// A causal convolution of each channel by itself over the last few rows of a sequence, of which the ones before a pass
/// are in the state of a layer.
package struct ShortConvolution: Sendable {
    private let weights: Tensor  // [taps, N]
    private let bias: Tensor?  // [N]
    private let channels: Range<Int>

    /// A part of a checkpoint's convolution over N channels, `[N, 1, taps]`.
    ///
    /// - Parameters:
    ///   - name: of the convolution, without the kind.
    ///   - channels: the part, which is so many channels of N and of the layer's state.
    /// - Throws: `TensorError` that names the tensor at fault.
    package static func parts(
        _ loader: WeightLoader, _ name: String, channels: [Int], taps: Int, bias: Bool
    ) throws(TensorError) -> [ShortConvolution] {
        let all = channels.reduce(0, +)
        let weights = try loader.channelFilters(name + ".weight", channels: all, taps: taps).floats
        let biases = bias ? try loader.vector(name + ".bias", count: all).floats : nil
        var parts: [ShortConvolution] = []
        var first = 0
        for count in channels {
            var own: [Float] = []
            for tap in 0..<taps { own += (first..<first + count).map { weights[$0 * taps + tap] } }
            parts.append(
                ShortConvolution(
                    weights: try Tensor(own, shape: [taps, count]),
                    bias: try biases.map { floats throws(TensorError) in
                        try Tensor(Array(floats[first..<first + count]), shape: [count])
                    }, channels: first..<first + count))
            first += count
        }
        return parts
    }

    private init(weights: Tensor, bias: Tensor?, channels: Range<Int>) {
        (self.weights, self.bias, self.channels) = (weights, bias, channels)
    }

    /// `[R, N]` → `[R, N]`, in new rows of the workspace.
    ///
    /// - Parameter layer: the layer's number among those with a state.
    package func callAsFunction(
        _ x: Tensor, _ rows: StateRows, states: StateStorage, layer: Int, on device: Device
    ) throws(TensorError) -> Tensor {
        let y = try device.makeRows(x.rowCount, width: x.width)
        device.shortConvolution(
            x, channels: channels, weights: weights, bias: bias, rows: rows, states: states, layer: layer, into: y)
        return y
    }
}

/// One layer's gated short convolution (LFM 2, arXiv 2511.23404): y = out(c · conv(b · x)), where b, c and x are
/// projections of the input.
package struct GatedConvolution: Sendable {
    package struct Configuration: Sendable {
        /// C.
        package var hidden: Int
        package var taps: Int
        package var bias: Bool

        package init(hidden: Int, taps: Int, bias: Bool) { (self.hidden, self.taps, self.bias) = (hidden, taps, bias) }

        package func state(layers: Int) -> StateShape { StateShape(layers: layers, taps: taps, channels: hidden) }
    }

    private let input: [Linear]  // b, c and x, each [C, C]
    private let convolution: ShortConvolution
    private let output: Linear  // [C, C]
    private let layer: Int

    /// - Parameters:
    ///   - layer: the layer's number among those here with a state.
    ///   - name: what stands before the names of its tensors, with the dot.
    /// - Throws: `TensorError` that names the tensor at fault.
    package init(
        _ loader: WeightLoader, layer: Int, _ name: String, _ configuration: Configuration
    ) throws(TensorError) {
        let c = configuration.hidden, bias = configuration.bias
        input = try loader.linears(name + "in_proj", parts: [c, c, c], inputs: c, bias: bias)
        convolution = try ShortConvolution.parts(
            loader, name + "conv", channels: [c], taps: configuration.taps, bias: bias)[0]
        output = try loader.linear(name + "out_proj", outputs: c, inputs: c, bias: bias)
        self.layer = layer
    }

    package var matrices: [PackedMatrix] { input.map(\.weight) + [output.weight] }

    /// y = convolution(h) (+ residual), all `[R, C]`; `residual` may be `y`. Changes the states of its layer.
    package func callAsFunction(
        _ h: Tensor, _ rows: StateRows, _ adapters: AdapterRows, states: StateStorage, residual: Tensor? = nil,
        into y: Tensor, on device: Device
    ) throws(TensorError) {
        let (b, c, x) = try Linear.together(input[0], input[1], input[2], h, adapters, on: device)  // [R, C] each
        device.map(.identity, b, times: x, into: x)
        let convolved = try convolution(x, rows, states: states, layer: layer, on: device)
        device.map(.identity, c, times: convolved, into: c)
        try output(c, adapters, residual: residual, into: y, on: device)
    }
}
