package import Tensors

/// Llama 1, 2 and 3 (arXiv 2302.13971, 2307.09288, 2407.21783): RMSNorm before each block, rotary positions,
/// grouped-query attention, a SiLU-gated feed-forward.
package struct LlamaModel: TextModel {
    struct Configuration: Sendable {
        var shape: DecoderShape
        var feedForward: Int
        var epsilon: Float
        var inverseFrequencies: [Float]
        var attentionBias: Bool
        var mlpBias: Bool
        var tied: Bool
        var activation: Device.Activation

        /// - Throws: `TextModelError` that names the field.
        init(_ json: CheckpointConfiguration) throws(TextModelError) {
            let hidden = try CheckpointConfiguration.extent(json.hidden_size, "hidden_size", in: 1...65_536)
            let heads = try CheckpointConfiguration.extent(
                json.num_attention_heads, "num_attention_heads", in: 1...1_024)
            let kvHeads = try CheckpointConfiguration.extent(
                json.num_key_value_heads ?? heads, "num_key_value_heads", in: 1...heads)
            let headDim = try CheckpointConfiguration.extent(json.head_dim ?? hidden / heads, "head_dim", in: 2...256)
            guard heads % kvHeads == 0, headDim % 2 == 0 else {
                throw TextModelError(
                    .invalidCheckpoint,
                    "config.json: \(heads) heads of width \(headDim) cannot share \(kvHeads) key-value heads")
            }
            shape = DecoderShape(
                vocabulary: try CheckpointConfiguration.extent(json.vocab_size, "vocab_size", in: 1...4_000_000),
                context: try CheckpointConfiguration.extent(
                    json.max_position_embeddings ?? 2_048, "max_position_embeddings", in: 1...1_048_576),
                hidden: hidden,
                layers: try CheckpointConfiguration.extent(json.num_hidden_layers, "num_hidden_layers", in: 1...1_024),
                heads: heads, kvHeads: kvHeads, headDim: headDim)
            feedForward = try CheckpointConfiguration.extent(
                json.intermediate_size, "intermediate_size", in: 1...1_048_576)
            epsilon = Float(json.rms_norm_eps ?? 1e-6)
            attentionBias = json.attention_bias ?? false
            mlpBias = json.mlp_bias ?? false
            tied = json.tie_word_embeddings ?? false
            let name = try CheckpointConfiguration.activation(json.hidden_act ?? "silu")
            guard name == "silu" else {
                throw TextModelError(.unsupported, "config.json: a Llama model with \"\(name)\" is not supported")
            }
            activation = .silu
            inverseFrequencies = try RotaryFrequencies.compute(json, headDim: headDim)
        }
    }

    private struct Layer: Sendable {
        var attentionNorm: Tensor  // [C]
        var query: Linear  // [H·D, C]
        var key: Linear  // [G·D, C]
        var value: Linear  // [G·D, C]
        var output: Linear  // [C, H·D]
        var feedForwardNorm: Tensor  // [C]
        var gate: Linear  // [F, C]
        var up: Linear  // [F, C]
        var down: Linear  // [C, F]
    }

    package let shape: DecoderShape
    package let weights: WeightCount
    private let epsilon: Float
    private let embedding: PackedMatrix  // [V, C]
    private let layers: [Layer]
    private let norm: Tensor  // [C]
    private let head: PackedMatrix  // [V, C]
    private let rotary: RotaryTable

    init(_ configuration: Configuration, _ loader: WeightLoader) throws(TensorError) {
        let shape = configuration.shape
        let (c, f) = (shape.hidden, configuration.feedForward)
        let (q, kv) = (shape.heads * shape.headDim, shape.kvHeads * shape.headDim)
        embedding = try loader.vocabulary("model.embed_tokens.weight", tokens: shape.vocabulary, width: c)
        var layers: [Layer] = []
        for index in 0..<shape.layers {
            let name = "model.layers.\(index)."
            let (biased, mlp) = (configuration.attentionBias, configuration.mlpBias)
            layers.append(
                Layer(
                    attentionNorm: try loader.vector(name + "input_layernorm.weight", count: c),
                    query: try loader.linear(name + "self_attn.q_proj", outputs: q, inputs: c, bias: biased),
                    key: try loader.linear(name + "self_attn.k_proj", outputs: kv, inputs: c, bias: biased),
                    value: try loader.linear(name + "self_attn.v_proj", outputs: kv, inputs: c, bias: biased),
                    output: try loader.linear(name + "self_attn.o_proj", outputs: c, inputs: q, bias: biased),
                    feedForwardNorm: try loader.vector(name + "post_attention_layernorm.weight", count: c),
                    gate: try loader.linear(name + "mlp.gate_proj", outputs: f, inputs: c, bias: mlp),
                    up: try loader.linear(name + "mlp.up_proj", outputs: f, inputs: c, bias: mlp),
                    down: try loader.linear(name + "mlp.down_proj", outputs: c, inputs: f, bias: mlp)))
        }
        self.layers = layers
        norm = try loader.vector("model.norm.weight", count: c)
        // A file of tied embeddings may leave the head out, or hold it a second time.
        head =
            configuration.tied
            ? embedding : try loader.vocabulary("lm_head.weight", tokens: shape.vocabulary, width: c)
        rotary = try RotaryTable(inverseFrequencies: configuration.inverseFrequencies, positions: shape.context)
        self.shape = shape
        epsilon = configuration.epsilon
        let matrices = layers.flatMap { [$0.query, $0.key, $0.value, $0.output, $0.gate, $0.up, $0.down] }
        weights = WeightCount(matrices.map(\.weight) + [embedding] + (configuration.tied ? [] : [head]))
    }

    package func forward(_ batch: TokenBatch, cache: KVStorage, on device: Device) throws(TensorError) -> Tensor {
        let rows = batch.ids.count
        let x = try Tensor(uninitialized: [rows, shape.hidden])  // [R, C]
        let h = try Tensor(uninitialized: [rows, shape.hidden])  // [R, C]
        device.gather(embedding, ids: batch.ids, into: x)
        let scale = 1 / Float(shape.headDim).squareRoot()
        for (index, layer) in layers.enumerated() {
            device.rmsNorm(x, weight: layer.attentionNorm, epsilon: epsilon, into: h)
            let q = try layer.query(h, on: device)  // [R, H·D]
            let k = try layer.key(h, on: device)  // [R, G·D]
            let v = try layer.value(h, on: device)  // [R, G·D]
            device.rope(q, heads: shape.heads, positions: batch.rows.positions, table: rotary)
            device.rope(k, heads: shape.kvHeads, positions: batch.rows.positions, table: rotary)
            let attended = try Tensor(uninitialized: q.shape)  // [R, H·D]
            device.attention(
                queries: q, keys: k, values: v, rows: batch.rows, cache: cache, layer: index, scale: scale,
                into: attended)
            try device.matmul(attended, layer.output.weight, bias: layer.output.bias, residual: x, into: x)
            device.rmsNorm(x, weight: layer.feedForwardNorm, epsilon: epsilon, into: h)
            let gate = try layer.gate(h, on: device)  // [R, F]
            let up = try layer.up(h, on: device)  // [R, F]
            device.map(.silu, gate, times: up, into: gate)
            try device.matmul(gate, layer.down.weight, bias: layer.down.bias, residual: x, into: x)
        }
        device.rmsNorm(x, weight: norm, epsilon: epsilon, into: x)
        return x
    }

    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        let y = try Tensor(uninitialized: [hidden.rowCount, shape.vocabulary])  // [R, V]
        try device.matmul(hidden, head, into: y)
        return y
    }
}
