import Layers
import Tensors

/// MPNet (arXiv 2004.09297): BERT without types of tokens, whose scores have a bias by the distance of key and query.
struct MPNet: EncoderArchitecture {
    static let modelTypes = ["mpnet"]
    static let classPrefixes = ["MPNet"]
    /// Whatever the file says of padding.
    private static let padding: Int32 = 1

    private var configuration: BertModel.Configuration

    private static let names: BertNames = {
        var names = BertNames()
        names.roots = ["", "mpnet."]
        (names.query, names.key, names.value) = ("attention.attn.q", "attention.attn.k", "attention.attn.v")
        (names.output, names.attentionNorm) = ("attention.attn.o", "attention.LayerNorm")
        names.classifier = BertNames.ownClassifier
        return names
    }()

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try BertModel.Configuration(file, names: Self.names, padding: Self.padding)
        configuration.tokenTypes = 0
        let buckets = try file.extent("relative_attention_num_buckets", in: 4...4_096, absent: 32)
        guard buckets % 4 == 0 else {
            throw file.refusal("relative_attention_num_buckets", "is \(buckets); it must be a multiple of 4")
        }
        configuration.distanceBuckets = buckets
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        try BertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}
