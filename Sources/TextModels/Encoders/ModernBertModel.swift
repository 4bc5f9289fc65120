import Layers
package import Tensors

/// The encoder of ``ModernBert``.
package struct ModernBertModel: TextEncoder {
    struct Configuration: Sendable {
        var shape: DecoderShape
        /// F.
        var feedForward: Int
        var activation: Device.Activation
        var epsilon: Float
        /// How far from a row each layer sees; 0 for all.
        var windows: [Int]
        /// Of layers that see all, and of the others.
        var rotary: RotaryFrequencies
        var localRotary: RotaryFrequencies
        var hasAttentionBias: Bool
        var hasFeedForwardBias: Bool
        var hasNormBias: Bool
        var classifierPooling: PoolingMode
        var hasClassifierBias: Bool
        var classifierActivation: Device.Activation
    }

    private struct Layer: Sendable {
        /// The first layer's input is normed already.
        var attentionNorm: LayerNorm?
        var attention: PackedAttention
        var feedForwardNorm: LayerNorm
        var gate: Linear  // [F, C]
        var up: Linear  // [F, C]
        var down: Linear  // [C, F]
    }

    package let shape: DecoderShape
    package var tokenTypes: Int { 1 }
    package let weights: WeightCount
    package let classifier: TextClassifier?
    private let activation: Device.Activation
    private let embedding: PackedMatrix  // [V, C]
    private let norm: LayerNorm
    private let layers: [Layer]
    private let finalNorm: LayerNorm

    init(_ configuration: Configuration, _ outer: WeightLoader, hasClassifier: Bool) throws(TensorError) {
        let shape = configuration.shape
        let (c, f) = (shape.hidden, configuration.feedForward)
        let tokens = "embeddings.tok_embeddings.weight"
        var loader = outer
        loader.prefix = outer.checkpoint.contains("model." + tokens) ? "model." : ""
        func norm(_ name: String) throws(TensorError) -> LayerNorm {
            try LayerNorm(
                loader, name, count: c, epsilon: configuration.epsilon, hasBias: configuration.hasNormBias)
        }
        embedding = try loader.vocabulary(tokens, tokens: shape.vocabulary, width: c)
        self.norm = try norm("embeddings.norm")
        finalNorm = try norm("final_norm")
        var full = PackedAttention.Configuration(heads: shape.heads, headDim: shape.headDim), local = full
        full.rotary = try configuration.rotary.table(positions: shape.context)
        local.rotary = try configuration.localRotary.table(positions: shape.context)
        var layers: [Layer] = []
        var matrices = [embedding]
        for index in 0..<shape.layers {
            let name = "layers.\(index)."
            var attention = configuration.windows[index] > 0 ? local : full
            attention.window = configuration.windows[index]
            let biased = configuration.hasAttentionBias
            let joint = try loader.linears(name + "attn.Wqkv", parts: [c, c, c], inputs: c, bias: biased)
            let raised = try loader.linears(
                name + "mlp.Wi", parts: [f, f], inputs: c, bias: configuration.hasFeedForwardBias)
            let layer = Layer(
                attentionNorm: index > 0 ? try norm(name + "attn_norm") : nil,
                attention: PackedAttention(
                    query: joint[0], key: joint[1], value: joint[2],
                    output: try loader.linear(name + "attn.Wo", outputs: c, inputs: c, bias: biased), attention),
                feedForwardNorm: try norm(name + "mlp_norm"), gate: raised[0], up: raised[1],
                down: try loader.linear(
                    name + "mlp.Wo", outputs: c, inputs: f, bias: configuration.hasFeedForwardBias))
            matrices += layer.attention.matrices + [layer.gate, layer.up, layer.down].map(\.weight)
            layers.append(layer)
        }
        self.layers = layers
        classifier = hasClassifier ? try Self.classifier(configuration, outer) : nil
        weights = WeightCount(matrices)
        (self.shape, activation) = (shape, configuration.activation)
    }

    private static func classifier(
        _ configuration: Configuration, _ loader: WeightLoader
    ) throws(TensorError) -> TextClassifier {
        let c = configuration.shape.hidden
        var layers = DenseLayers()
        layers.append(
            .init(
                linear: try loader.linear("head.dense", outputs: c, inputs: c, bias: configuration.hasClassifierBias),
                activation: configuration.classifierActivation,
                norm: try LayerNorm(
                    loader, "head.norm", count: c, epsilon: configuration.epsilon, hasBias: configuration.hasNormBias)))
        let labels = loader.checkpoint.shape(of: "classifier.weight")?.first ?? 1
        layers.append(
            .init(
                linear: try loader.linear(
                    "classifier", outputs: min(max(labels, 1), 1 << 16), inputs: c, bias: true)))
        return TextClassifier(pooling: configuration.classifierPooling, layers: layers)
    }

    package func states(of texts: PackedTexts, on device: Device) throws(TensorError) -> Tensor {
        let none = AdapterRows()
        let x = try device.makeRows(texts.ids.count, width: shape.hidden)  // [R, C]
        let h = try device.makeRows(texts.ids.count, width: shape.hidden)  // [R, C]
        device.gather(embedding, ids: texts.ids, into: x)
        norm(x, into: x, on: device)
        for layer in layers {
            layer.attentionNorm?(x, into: h, on: device)
            try layer.attention(
                layer.attentionNorm == nil ? x : h, texts.rows, positions: texts.positions, residual: x, into: x,
                on: device)
            layer.feedForwardNorm(x, into: h, on: device)
            let (gated, raised) = try Linear.together(layer.gate, layer.up, h, none, on: device)  // [R, F] each
            device.map(activation, gated, times: raised, into: gated)
            try layer.down(gated, none, residual: x, into: x, on: device)
        }
        finalNorm(x, into: x, on: device)
        return x
    }
}
