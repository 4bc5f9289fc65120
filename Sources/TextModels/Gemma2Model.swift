package import Tensors

/// Gemma 2 (arXiv 2408.00118): RMSNorm before and after each block, a GELU-gated feed-forward, soft-capped attention
/// scores and logits, and a window in every second layer.
package struct Gemma2Model: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var attention: RotaryAttention.Configuration
        var feedForward: GatedFeedForward.Configuration
        var epsilon: Float
        var tied: Bool
        /// Logits z pass through cap · tanh(z / cap); nil for none.
        var logitCap: Float?

        /// - Throws: `TextModelError` that names the field.
        init(_ json: CheckpointConfiguration) throws(TextModelError) {
            guard json.use_bidirectional_attention != true else {
                throw TextModelError(
                    .unsupported, "config.json: \"use_bidirectional_attention\" is true, which is not supported")
            }
            shape = try DecoderShape(json, headDim: 256, context: 8_192)
            attention = RotaryAttention.Configuration(shape, rotary: try RotaryFrequencies(json, shape: shape))
            attention.scale =
                1
                / (try CheckpointConfiguration.positive(json.query_pre_attn_scalar ?? 256, "query_pre_attn_scalar"))
                .squareRoot()
            if let cap = json.attn_logit_softcapping.value(absent: 50) {
                attention.softCap = try CheckpointConfiguration.positive(cap, "attn_logit_softcapping")
            }
            if let cap = json.final_logit_softcapping.value(absent: 30) {
                logitCap = try CheckpointConfiguration.positive(cap, "final_logit_softcapping")
            }
            attention.inputBias = json.attention_bias ?? false
            attention.outputBias = json.attention_bias ?? false
            let window = try json.window(absent: 4_096)
            attention.windows = try json.windows(window, layers: shape.layers) { $0 % 2 == 0 }
            feedForward = try GatedFeedForward.Configuration(
                json, activation: json.hidden_activation ?? "gelu_pytorch_tanh")
            epsilon = Float(json.rms_norm_eps ?? 1e-6)
            tied = json.tie_word_embeddings ?? true
        }
    }

    private struct Layer: Sendable {
        var beforeAttention: Tensor  // [C]
        var attention: RotaryAttention
        var afterAttention: Tensor  // [C]
        var beforeFeedForward: Tensor  // [C]
        var feedForward: GatedFeedForward
        var afterFeedForward: Tensor  // [C]
    }

    package let shape: DecoderShape
    package let layers: Range<Int>
    package let weights: WeightCount
    package let linearModules: [LinearModule]
    private let epsilon: Float
    private let logitCap: Float?
    private let ends: Ends<Tensor>  // norm [C]
    private let blocks: [Layer]

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape, c = shape.hidden
        let table = try RotaryTable(configuration.attention.rotary, positions: shape.context)
        /// Hugging Face's files hold a norm's weight less one.
        func weight(_ name: String) throws(TensorError) -> Tensor {
            let vector = try loader.vector(name + ".weight", count: c)
            return loader.checkpoint.layout == .gguf
                ? vector : try Tensor(vector.floats.map { 1 + $0 }, shape: [c])
        }
        layers = try loader.layers(of: shape)
        ends = try Ends(layers) { () throws(TensorError) in
            try TokenEmbedding(loader, shape, tied: configuration.tied)
        } norm: { () throws(TensorError) in
            try weight("model.norm")
        }
        var blocks: [Layer] = []
        for index in layers {
            let name = "model.layers.\(index)."
            blocks.append(
                Layer(
                    beforeAttention: try weight(name + "input_layernorm"),
                    attention: try RotaryAttention(loader, layer: index, configuration.attention, table: table),
                    afterAttention: try weight(name + "post_attention_layernorm"),
                    beforeFeedForward: try weight(name + "pre_feedforward_layernorm"),
                    feedForward: try GatedFeedForward(loader, layer: index, configuration.feedForward, hidden: c),
                    afterFeedForward: try weight(name + "post_feedforward_layernorm")))
        }
        self.blocks = blocks
        self.shape = shape
        epsilon = configuration.epsilon
        logitCap = configuration.logitCap
        linearModules = loader.linearModules.modules
        weights = WeightCount(
            blocks.flatMap { $0.attention.matrices + $0.feedForward.matrices } + ends.matrices)
    }

    package func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor {
        let x = try ends.embedding(batch.ids, on: device)  // [R, C]
        // √C rounded once, as transformers does where it computes in f32.
        device.scale(x, by: Float(Double(shape.hidden).squareRoot()), into: x)
        return x
    }

    package func run(_ x: Tensor, _ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) {
        let h = try device.makeRows(x.rowCount, width: x.width)  // [R, C]
        for layer in blocks {
            device.rmsNorm(x, weight: layer.beforeAttention, epsilon: epsilon, into: h)
            try layer.attention(h, batch, cache: cache, into: h, on: device)
            device.rmsNorm(h, weight: layer.afterAttention, epsilon: epsilon, into: h)
            device.combine(x, h, into: x)
            device.rmsNorm(x, weight: layer.beforeFeedForward, epsilon: epsilon, into: h)
            try layer.feedForward(h, batch.adapters, into: h, on: device)
            device.rmsNorm(h, weight: layer.afterFeedForward, epsilon: epsilon, into: h)
            device.combine(x, h, into: x)
        }
    }

    package var hasHead: Bool { ends.hasHead }

    package func normalize(_ x: Tensor, on device: Device) {
        device.rmsNorm(x, weight: ends.norm, epsilon: epsilon, into: x)
    }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        let y = try ends.embedding.logits(hidden, on: device)  // [R, V]
        if let logitCap { device.softCap(y, cap: logitCap, into: y) }
        return y
    }
}
