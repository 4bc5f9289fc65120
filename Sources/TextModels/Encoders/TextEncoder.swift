import Layers
package import Tensors

/// The tokens of whole texts, one after the other: the rows of one pass.
package struct PackedTexts: Sendable {
    package private(set) var ids: [Int32] = []
    /// Of what kind each token is: 0 for the first text of a pair, 1 for the second.
    package private(set) var types: [Int32] = []
    /// Where each token stands in its text.
    package private(set) var positions: [Int32] = []
    package private(set) var rows = PackedRows()

    package init() {}

    /// Adds a text of one token at least.
    ///
    /// - Parameter types: as many as ids; empty where all are 0.
    package mutating func append(_ ids: [Int32], types: [Int32] = []) {
        precondition(types.isEmpty || types.count == ids.count, "\(types.count) types of \(ids.count) tokens")
        self.ids += ids
        self.types += types.isEmpty ? Array(repeating: 0, count: ids.count) : types
        positions += 0..<Int32(ids.count)
        rows.append(rows: ids.count)
    }
}

/// A Transformer whose tokens see what stands before and behind them: it makes states of whole texts, and no text. A
/// text's states do not depend on the texts beside it.
package protocol TextEncoder: Sendable {
    var shape: DecoderShape { get }
    /// How many types of tokens there are; 1 where it makes no difference.
    var tokenTypes: Int { get }
    var weights: WeightCount { get }
    /// What a classifier makes of a text; nil for a checkpoint that has none.
    var classifier: TextClassifier? { get }

    /// The states of the last layer: `[R, C]`.
    ///
    /// - Precondition: ids and types lie in their ranges, texts within the context.
    func states(of texts: PackedTexts, on device: Device) throws(TensorError) -> Tensor
}

/// Layers that a pooled text goes through.
package struct DenseLayers: Sendable {
    struct Layer: Sendable {
        var linear: Linear  // [N, K]
        var activation: Device.Activation = .identity
        var norm: LayerNorm?  // [N]
    }

    private(set) var layers: [Layer] = []

    package init() {}

    /// Outputs of the last layer; nil where there is none.
    package var width: Int? { layers.last?.linear.columns }

    mutating func append(_ layer: Layer) { layers.append(layer) }

    /// `[n, K]` → `[n, N]`.
    package func callAsFunction(_ x: Tensor, on device: Device) throws(TensorError) -> Tensor {
        var x = x
        for layer in layers {
            x = try layer.linear(x, AdapterRows(), on: device)
            if layer.activation != .identity { device.map(layer.activation, x, into: x) }
            layer.norm?(x, into: x, on: device)
        }
        return x
    }
}

/// What makes one number for each label of a text's states.
package struct TextClassifier: Sendable {
    package var pooling: PoolingMode
    /// The last has as many outputs as there are labels.
    package var layers: DenseLayers
    /// The labels that say yes and no, of a model whose score is what yes has of both.
    package var verdict: (yes: Int, no: Int)?
    package var labels: Int { layers.width ?? 0 }
}

/// How the states of a text's tokens become one vector.
package enum PoolingMode: String, Sendable, CaseIterable {
    /// The first token's.
    case first = "cls"
    /// The largest of each element.
    case max
    case mean
    /// The sum, divided by the square root of their number.
    case meanOfRoot = "mean_sqrt_len_tokens"
    /// The mean in which the token at position i counts i + 1 times.
    case weightedMean = "weightedmean"
    case last = "lasttoken"
}
