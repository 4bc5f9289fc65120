import Layers
package import Tensors

/// The encoder of BERT (arXiv 1810.04805) and those that differ from it in names and in how they tell positions: a
/// LayerNorm after each block.
package struct BertModel: TextEncoder {
    /// How rows know where they stand.
    enum Positions: Sendable {
        /// A learned state for each of so many positions is added to the token's. With a padding id, counting begins
        /// behind that number, passes tokens of that id over and gives them that number.
        case learned(count: Int, padding: Int32?)
        case rotary(RotaryFrequencies)
    }

    struct Configuration: Sendable {
        var shape: DecoderShape
        /// F.
        var feedForward: Int
        var activation: Device.Activation
        var epsilon: Float
        var positions: Positions
        /// Types of tokens; 0 where no state is learned for them.
        var tokenTypes: Int
        /// Whether attention and feed-forward have biases.
        var isBiased = true
        /// Buckets of distances, each with a learned bias of the scores (MPNet); nil for none.
        var distanceBuckets: Int?
        var names: BertNames
    }

    private struct Layer: Sendable {
        var attention: PackedAttention
        var attentionNorm: LayerNorm
        var gate: Linear?  // [F, C]
        var up: Linear  // [F, C]
        var down: Linear  // [C, F]
        var feedForwardNorm: LayerNorm
    }

    package let shape: DecoderShape
    package let tokenTypes: Int
    package let weights: WeightCount
    package let classifier: TextClassifier?
    private let configuration: Configuration
    private let embedding: PackedMatrix  // [V, C]
    private let positions: Tensor?  // [positions, C]
    private let types: Tensor?  // [types, C]
    private let norm: LayerNorm
    private let layers: [Layer]

    init(_ configuration: Configuration, _ outer: WeightLoader, hasClassifier: Bool) throws(TensorError) {
        let shape = configuration.shape, names = configuration.names
        let (c, f, epsilon) = (shape.hidden, configuration.feedForward, configuration.epsilon)
        var loader = outer
        loader.prefix = names.roots.first { outer.checkpoint.contains($0 + names.tokens + ".weight") } ?? ""
        embedding = try loader.vocabulary(names.tokens + ".weight", tokens: shape.vocabulary, width: c)
        var attention = PackedAttention.Configuration(heads: shape.heads, headDim: shape.headDim)
        switch configuration.positions {
        case .learned(let count, _):
            positions = try loader.table(names.positions + ".weight", shape: [count, c])
        case .rotary(let frequencies):
            positions = nil
            attention.rotary = try frequencies.table(positions: shape.context)
        }
        types =
            configuration.tokenTypes > 0
            ? try loader.table(names.types + ".weight", shape: [configuration.tokenTypes, c]) : nil
        norm = try LayerNorm(loader, names.norm, count: c, epsilon: epsilon)
        attention.bias = try configuration.distanceBuckets.map { buckets throws(TensorError) in
            try DistanceBuckets(count: buckets).bias(
                loader.table("encoder.relative_attention_bias.weight", shape: [buckets, shape.heads]),
                reach: shape.context)
        }
        func linear(_ name: String, outputs: Int, inputs: Int) throws(TensorError) -> Linear {
            try loader.linear(name, outputs: outputs, inputs: inputs, bias: configuration.isBiased)
        }
        var layers: [Layer] = []
        var matrices = [embedding]
        for index in 0..<shape.layers {
            let name = "\(names.layer)\(index)."
            let parts =
                if let joint = names.joint {
                    try loader.linears(name + joint, parts: [c, c, c], inputs: c, bias: configuration.isBiased)
                } else {
                    [
                        try linear(name + names.query, outputs: c, inputs: c),
                        try linear(name + names.key, outputs: c, inputs: c),
                        try linear(name + names.value, outputs: c, inputs: c),
                    ]
                }
            let layer = Layer(
                attention: PackedAttention(
                    query: parts[0], key: parts[1], value: parts[2],
                    output: try linear(name + names.output, outputs: c, inputs: c), attention),
                attentionNorm: try LayerNorm(loader, name + names.attentionNorm, count: c, epsilon: epsilon),
                gate: try names.gate.map { gate throws(TensorError) in
                    try linear(name + gate, outputs: f, inputs: c)
                },
                up: try linear(name + names.up, outputs: f, inputs: c),
                down: try linear(name + names.down, outputs: c, inputs: f),
                feedForwardNorm: try LayerNorm(loader, name + names.feedForwardNorm, count: c, epsilon: epsilon))
            matrices += layer.attention.matrices + [layer.gate, layer.up, layer.down].compactMap { $0?.weight }
            layers.append(layer)
        }
        self.layers = layers
        classifier = hasClassifier ? try names.classifier(loader, outer: outer, width: c) : nil
        weights = WeightCount(matrices)
        tokenTypes = max(1, configuration.tokenTypes)
        (self.shape, self.configuration) = (shape, configuration)
    }

    package func states(of texts: PackedTexts, on device: Device) throws(TensorError) -> Tensor {
        let x = try device.makeRows(texts.ids.count, width: shape.hidden)  // [R, C]
        device.gather(embedding, ids: texts.ids, into: x)
        if let types { device.addRows(of: types, ids: texts.types, to: x) }
        if let positions { device.addRows(of: positions, ids: numbers(texts), to: x) }
        norm(x, into: x, on: device)
        for layer in layers {
            try layer.attention(x, texts.rows, positions: texts.positions, residual: x, into: x, on: device)
            layer.attentionNorm(x, into: x, on: device)
            try feedForward(layer, x, on: device)
            layer.feedForwardNorm(x, into: x, on: device)
        }
        return x
    }

    private func feedForward(_ layer: Layer, _ x: Tensor, on device: Device) throws(TensorError) {
        let none = AdapterRows()
        let raised: Tensor  // [R, F]
        if let gate = layer.gate {
            let (gated, up) = try Linear.together(gate, layer.up, x, none, on: device)  // [R, F] each
            device.map(configuration.activation, gated, times: up, into: gated)
            raised = gated
        } else {
            raised = try layer.up(x, none, on: device)
            device.map(configuration.activation, raised, into: raised)
        }
        try layer.down(raised, none, residual: x, into: x, on: device)
    }

    /// The numbers of learned positions.
    private func numbers(_ texts: PackedTexts) -> [Int32] {
        guard case .learned(_, let padding?) = configuration.positions else { return texts.positions }
        var numbers: [Int32] = []
        for text in texts.rows.texts {
            var number = padding
            for id in texts.ids[text] {
                if id != padding { number += 1 }
                numbers.append(id == padding ? padding : number)
            }
        }
        return numbers
    }
}

/// What checkpoints call the parts of such an encoder; names of matrices are without `.weight`.
struct BertNames: Sendable {
    /// What may stand before all of them.
    var roots = ["", "bert."]
    var tokens = "embeddings.word_embeddings"
    var positions = "embeddings.position_embeddings"
    var types = "embeddings.token_type_embeddings"
    var norm = "embeddings.LayerNorm"
    /// What stands before a layer's number; the names that follow begin behind it.
    var layer = "encoder.layer."
    var query = "attention.self.query"
    var key = "attention.self.key"
    var value = "attention.self.value"
    /// One matrix of all three.
    var joint: String?
    var output = "attention.output.dense"
    var attentionNorm = "attention.output.LayerNorm"
    var gate: String?
    var up = "intermediate.dense"
    var down = "output.dense"
    var feedForwardNorm = "output.LayerNorm"
    /// The layers of a classifier, which sees the first token's state: whether it stands behind the root.
    var classifier: [(name: String, isInner: Bool, activation: Device.Activation)] = [
        ("pooler.dense", true, .tanh), ("classifier", false, .identity),
    ]

    /// - Parameters:
    ///   - inner: finds what stands behind the root, `outer` the rest.
    ///   - width: C.
    func classifier(_ inner: WeightLoader, outer: WeightLoader, width: Int) throws(TensorError) -> TextClassifier {
        var layers = DenseLayers()
        for (number, layer) in classifier.enumerated() {
            let loader = layer.isInner ? inner : outer
            // How many labels there are stands nowhere else for sure.
            let rows = loader.checkpoint.shape(of: loader.fileName(layer.name + ".weight"))?.first
            let outputs = number == classifier.count - 1 ? min(max(rows ?? 1, 1), 1 << 16) : width
            layers.append(
                .init(
                    linear: try loader.linear(layer.name, outputs: outputs, inputs: width, bias: true),
                    activation: layer.activation))
        }
        return TextClassifier(pooling: .first, layers: layers)
    }
}
