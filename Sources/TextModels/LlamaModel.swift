package import Tensors

/// Llama 1, 2 and 3 (arXiv 2302.13971, 2307.09288, 2407.21783): RMSNorm before each block, rotary positions,
/// grouped-query attention, a SiLU-gated feed-forward. Mistral, Qwen 2, Qwen 3 and Phi-3 are this model too; what each
/// does differently is in the extension that makes its configuration.
package struct LlamaModel: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var attention: RotaryAttention.Configuration
        var feedForward: GatedFeedForward.Configuration
        var epsilon: Float
        var tied: Bool

        /// What all architectures of this form read in the same way.
        ///
        /// - Parameters:
        ///   - headDim: D where the file does not say it; C / H by default.
        ///   - context: positions where the file does not say it.
        ///   - partialRotary: whether only the first elements of a head may be turned.
        /// - Throws: `TextModelError` that names the field.
        init(
            _ json: CheckpointConfiguration, headDim: Int? = nil, context: Int, epsilon: Double = 1e-6,
            partialRotary: Bool = false
        ) throws(TextModelError) {
            shape = try DecoderShape(json, headDim: headDim, context: context)
            attention = RotaryAttention.Configuration(
                shape, rotary: try RotaryFrequencies(json, shape: shape, partial: partialRotary))
            feedForward = try GatedFeedForward.Configuration(json, activation: json.hidden_act ?? "silu")
            self.epsilon = Float(json.rms_norm_eps ?? epsilon)
            tied = json.tie_word_embeddings ?? false
        }

        /// - Throws: `TextModelError` that names the field.
        static func llama(_ json: CheckpointConfiguration) throws(TextModelError) -> Self {
            var configuration = try Self(json, context: 2_048)
            configuration.attention.inputBias = json.attention_bias ?? false
            configuration.attention.outputBias = json.attention_bias ?? false
            configuration.feedForward.bias = json.mlp_bias ?? false
            return configuration
        }
    }

    private struct Layer: Sendable {
        var attentionNorm: Tensor  // [C]
        var attention: RotaryAttention
        var feedForwardNorm: Tensor  // [C]
        var feedForward: GatedFeedForward
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let epsilon: Float
    private let ends: Ends<Tensor>  // norm [C]
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, c = shape.hidden
        let table = try RotaryTable(configuration.attention.rotary, positions: shape.context)
        layers = try loader.layers(of: shape)
        ends = try Ends(layers) { () throws(TensorError) in
            try TokenEmbedding(loader, shape, tied: configuration.tied)
        } norm: { () throws(TensorError) in
            try loader.vector("model.norm.weight", count: c)
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "model.layers.\(index)."
            blocks.append(
                Layer(
                    attentionNorm: try loader.vector(name + "input_layernorm.weight", count: c),
                    attention: try RotaryAttention(loader, layer: index, configuration.attention, table: table),
                    feedForwardNorm: try loader.vector(name + "post_attention_layernorm.weight", count: c),
                    feedForward: try GatedFeedForward(loader, layer: index, configuration.feedForward, hidden: c)))
        }
        self.blocks = blocks
        self.shape = shape
        epsilon = configuration.epsilon
        linearModules = loader.linearModules.modules
        weights = WeightCount(
            blocks.flatMap { $0.attention.matrices + $0.feedForward.matrices } + ends.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        try ends.embedding(batch.ids, on: device)
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        for layer in blocks {
            device.rmsNorm(x, weight: layer.attentionNorm, epsilon: epsilon, into: h)
            try layer.attention(h, batch, cache: cache, residual: x, into: x, on: device)
            device.rmsNorm(x, weight: layer.feedForwardNorm, epsilon: epsilon, into: h)
            try layer.feedForward(h, batch.adapters, residual: x, into: x, on: device)
        }
    }

    package var hasHead: Bool { ends.hasHead }

    package func normalize(_ x: Tensor, on device: Device) {
        device.rmsNorm(x, weight: ends.norm, epsilon: epsilon, into: x)
    }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        try ends.embedding.logits(hidden, on: device)
    }
}
