import Layers
import Tensors

/// RoBERTa (arXiv 1907.11692) and XLM-R (arXiv 1911.02116): BERT whose positions are counted from behind the padding's
/// id, and whose classifier has a layer of its own in the pooler's place.
struct Roberta: EncoderArchitecture {
    static let modelTypes = ["roberta", "xlm-roberta", "camembert"]
    static let classPrefixes = ["Roberta", "XLMRoberta", "Camembert"]

    private let configuration: BertModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        var names = BertNames()
        names.roots = ["", "roberta."]
        names.classifier = BertNames.ownClassifier
        let padding = Int32(try file.extent("pad_token_id", in: 0...1_024, absent: 1))
        configuration = try BertModel.Configuration(file, names: names, padding: padding)
    }

    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder {
        try BertModel(configuration, loader, hasClassifier: hasClassifier)
    }
}

extension BertNames {
    /// A classifier that has no part in a pooler.
    static let ownClassifier: [(name: String, isInner: Bool, activation: Device.Activation)] = [
        ("classifier.dense", false, .tanh), ("classifier.out_proj", false, .identity),
    ]
}
