import Layers
import Tensors

/// DistilBERT (arXiv 1910.01108): BERT under other names, without types of tokens.
struct DistilBert: EncoderArchitecture {
    static let modelTypes = ["distilbert"]
    static let classPrefixes = ["DistilBert"]

    private let configuration: BertModel.Configuration

    private static let names: BertNames = {
        var names = BertNames()
        names.roots = ["", "distilbert."]
        names.layer = "transformer.layer."
        (names.query, names.key, names.value) = ("attention.q_lin", "attention.k_lin", "attention.v_lin")
        (names.output, names.attentionNorm) = ("attention.out_lin", "sa_layer_norm")
        (names.up, names.down, names.feedForwardNorm) = ("ffn.lin1", "ffn.lin2", "output_layer_norm")
        names.classifier = [("pre_classifier", false, .relu), ("classifier", false, .identity)]
        return names
    }()

    init(_ file: ConfigurationFile) throws(TextModelError) {
        let count = try file.extent("max_position_embeddings", in: DecoderShape.Limits.context, absent: 512)
        configuration = BertModel.Configuration(
            shape: try DecoderShape(file, context: count, hidden: "dim", heads: "n_heads", layers: "n_layers"),
            feedForward: try file.extent("hidden_dim", in: DecoderShape.Limits.feedForward),
            activation: try file.activation("activation", absent: "gelu"), epsilon: 1e-12,
            positions: .learned(count: count, padding: nil), tokenTypes: 0, names: Self.names)
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        try BertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}
