import Layers
import Tensors

/// Gemma 4's feed-forward of two kinds, whose results are added: one that every row goes through, and experts. Each has a
/// norm behind it; the router and the experts have norms before them of the rows themselves.
struct ParallelExperts: Sendable {
    struct Configuration: Sendable {
        var gated: GatedFeedForward.Configuration
        var experts: MixtureOfExperts.Configuration
        /// ε of all norms.
        var epsilon: Float
    }

    private let gated: GatedFeedForward
    private let experts: MixtureOfExperts
    private let gatedNorm: RMSNorm  // [C]
    private let routerNorm: RMSNorm  // [C]
    private let expertsNorm: RMSNorm  // [C]
    private let resultNorm: RMSNorm  // [C]

    init(
        _ loader: WeightLoader, _ layer: String, _ configuration: Configuration, hidden c: Int
    ) throws(TensorError) {
        func norm(_ name: String) throws(TensorError) -> RMSNorm {
            try RMSNorm(loader, layer + name, count: c, epsilon: configuration.epsilon)
        }
        gated = try GatedFeedForward(loader, layer + "mlp.", configuration.gated, hidden: c)
        experts = try MixtureOfExperts(loader, layer, configuration.experts, hidden: c)
        gatedNorm = try norm("post_feedforward_layernorm_1")
        expertsNorm = try norm("pre_feedforward_layernorm_2")
        resultNorm = try norm("post_feedforward_layernorm_2")
        // Its norm has no weight; what follows is multiplied by a vector and 1 / √C.
        let scale = try loader.vector(layer + "router.scale", count: c).floats
        let part = 1 / Float(c).squareRoot()
        routerNorm = RMSNorm(
            weight: try Tensor(scale.map { $0 * part }, shape: [c]), epsilon: configuration.epsilon)
    }

    var matrices: [PackedMatrix] { gated.matrices + experts.matrices }

    /// y = norm(gated(h)) + norm(experts(norm(x))) (+ residual), all `[R, C]`; `y` may be `h`.
    func callAsFunction(
        _ h: Tensor, of x: Tensor, _ adapters: AdapterRows, residual: Tensor?, into y: Tensor, on device: Device
    ) throws(TensorError) {
        let routed = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        let chosen = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        routerNorm(x, into: routed, on: device)
        expertsNorm(x, into: chosen, on: device)
        try experts(chosen, routed: routed, adapters, into: chosen, on: device)
        resultNorm(chosen, into: chosen, on: device)
        try gated(h, adapters, residual: nil, into: routed, on: device)
        gatedNorm(routed, into: routed, on: device)
        if let residual { device.combine(routed, residual, into: routed) }
        device.combine(routed, chosen, into: y)
    }
}
