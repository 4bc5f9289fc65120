import Layers
import Tensors

/// Mixtral (arXiv 2401.04088): Mistral with experts in the place of the feed-forward.
struct Mixtral: DecoderArchitecture {
    static let modelType = "mixtral"
    static let className = "MixtralForCausalLM"
    /// llama.cpp writes it as Llama with experts.
    static let gguf: GGUFLayout? = nil

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let shape = try DecoderShape(file, context: 131_072, kvHeads: 8)
        configuration = try Decoder.Configuration(
            file, shape: shape, context: 131_072, epsilon: 1e-5,
            rotary: try RotaryFrequencies(file, shape: shape, standardBase: 1_000_000))
        configuration.attention.windows = try file.windows(
            try file.window(absent: nil), layers: configuration.shape.layers
        ) { _ in true }
        let experts = try configuration.experts(
            file, absent: 8, chosen: 2, width: configuration.feedForward.width,
            layout: .apart(router: "gate", experts: "experts", gate: "w1", up: "w3", down: "w2"))
        configuration.experts = (experts, "block_sparse_moe.")
    }
}

extension Decoder.Configuration {
    /// Experts as a `config.json` says.
    ///
    /// - Parameters:
    ///   - absent: E where the file does not say it.
    ///   - chosen: k where the file does not say it.
    /// - Throws: `TextModelError` that names the field.
    func experts(
        _ file: ConfigurationFile, absent: Int, chosen: Int, width: Int, layout: MixtureOfExperts.Layout
    ) throws(TextModelError) -> MixtureOfExperts.Configuration {
        // transformers takes either name, and writes some architectures' under another one than they were published with.
        let names = ["num_experts", "num_local_experts"].filter { file.has($0) }
        let counts = try names.map { name throws(TextModelError) in
            try file.extent(name, in: DecoderShape.Limits.experts)
        }
        let experts = counts.first ?? absent
        guard counts.allSatisfy({ $0 == experts }) else {
            throw file.refusal("num_experts", "is \(experts), but \"num_local_experts\" is \(counts[1])")
        }
        return MixtureOfExperts.Configuration(
            experts: experts, chosen: try file.extent("num_experts_per_tok", in: 1...experts, absent: chosen),
            width: width, activation: feedForward.activation, layout: layout)
    }

    /// Experts as a GGUF file has them, in the place of the feed-forward.
    ///
    /// - Parameter router: what the file's `ffn_gate_inp` is called here.
    /// - Throws: `TextModelError` that names the key.
    mutating func readExperts(_ file: GGUFMetadata, normalizes: Bool = true) throws(TextModelError) {
        let count = try file.extent("expert_count", in: DecoderShape.Limits.experts)
        var experts = MixtureOfExperts.Configuration(
            experts: count, chosen: try file.extent("expert_used_count", in: 1...count),
            width: try file.extent(
                "expert_feed_forward_length", in: DecoderShape.Limits.feedForward, absent: feedForward.width),
            activation: feedForward.activation, layout: GGUFLayout.expertLayout)
        experts.routing.normalizes = normalizes
        self.experts = (experts, "mlp.")
    }
}

extension GGUFLayout {
    /// Keys of an architecture with experts.
    static let expertKeys: Set<String> = ["expert_count", "expert_used_count", "expert_feed_forward_length"]

    /// What files with experts hold, by the names of ``expertLayers``.
    static let expertLayout = MixtureOfExperts.Layout.stacked(
        router: "gate", gate: "experts.gate_proj", up: "experts.up_proj", down: "experts.down_proj")

    /// The stems of a layer with experts.
    static let expertLayers = [
        "mlp.gate": "ffn_gate_inp", "mlp.experts.gate_proj": "ffn_gate_exps", "mlp.experts.up_proj": "ffn_up_exps",
        "mlp.experts.down_proj": "ffn_down_exps",
    ]

    /// The same layout with experts.
    func withExperts() -> GGUFLayout {
        var layout = self
        layout.keys.formUnion(Self.expertKeys)
        layout.layers.merge(Self.expertLayers) { own, _ in own }
        return layout
    }
}
