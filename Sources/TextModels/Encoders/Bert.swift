import Layers
import Tensors

/// BERT (arXiv 1810.04805).
struct Bert: EncoderArchitecture {
    static let modelTypes = ["bert"]
    static let classPrefixes = ["Bert"]

    private let configuration: BertModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try BertModel.Configuration(file, names: BertNames())
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        try BertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}

extension BertModel.Configuration {
    /// The fields under the names that BERT gave them.
    ///
    /// - Parameters:
    ///   - padding: the id behind whose number positions begin; nil where they begin with 0.
    ///   - types: how many types of tokens there are where the file does not say it.
    init(
        _ file: ConfigurationFile, names: BertNames, padding: Int32? = nil, types: Int = 2
    ) throws(TextModelError) {
        if let kind = try file.text("position_embedding_type"), kind != "absolute" {
            throw file.refusal("position_embedding_type", "is \"\(kind)\", which is not supported", .unsupported)
        }
        let count = try file.extent("max_position_embeddings", in: DecoderShape.Limits.context, absent: 512)
        shape = try DecoderShape(
            encoder: file, context: try Self.context(file, positions: count, padding: padding))
        feedForward = try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward)
        activation = try file.activation("hidden_act", absent: "gelu")
        epsilon = Float(try file.positive("layer_norm_eps", absent: 1e-12))
        positions = .learned(count: count, padding: padding)
        tokenTypes = try file.extent("type_vocab_size", in: 0...1_024, absent: types)
        self.names = names
    }

    /// How long a text may be that has so many positions.
    static func context(
        _ file: ConfigurationFile, positions: Int, padding: Int32?
    ) throws(TextModelError) -> Int {
        let context = positions - Int(padding.map { $0 + 1 } ?? 0)
        guard context > 0 else {
            throw file.refusal("max_position_embeddings", "is \(positions), which leaves no position for a token")
        }
        return context
    }
}

extension DecoderShape {
    /// The extents of an encoder under the names that BERT gave them.
    init(encoder file: ConfigurationFile, context: Int) throws(TextModelError) {
        try self.init(
            file, context: context, hidden: "hidden_size", heads: "num_attention_heads", layers: "num_hidden_layers")
    }

    /// - Parameters: the names of the fields that say it.
    init(
        _ file: ConfigurationFile, context: Int, hidden: String, heads: String, layers: String
    ) throws(TextModelError) {
        let width = try file.extent(hidden, in: Limits.hidden), count = try file.extent(heads, in: Limits.heads)
        guard width % count == 0, Limits.headDim.contains(width / count) else {
            throw file.refusal(heads, "is \(count); so many heads do not divide a width of \(width)")
        }
        self.init(
            vocabulary: try file.extent("vocab_size", in: Limits.vocabulary), context: context, hidden: width,
            layers: try file.extent(layers, in: Limits.layers), heads: count, kvHeads: count,
            headDim: width / count)
    }
}
