import Layers
import Tensors

/// BERT (arXiv 1810.04805).
struct Bert: EncoderArchitecture {
    static let modelTypes = ["bert"]
    static let classPrefixes = ["Bert"]

    /// Of RoBERTa, XLM-R and DistilBERT too, whose tensors bear BERT's names there.
    static let gguf: GGUFLayout? = .encoder(
        "bert", layers: "encoder.layer.",
        globals: [
            "embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
            "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
            "classifier.dense": "cls", "classifier.out_proj": "cls.output",
        ],
        layers: [
            "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
            "attention.self.joint": "attn_qkv", "attention.output.dense": "attn_output",
            "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
            "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
        ])

    private let configuration: BertModel.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try BertModel.Configuration(file, names: BertNames())
    }

    /// The positions begin with the first token's, whatever they began with in the checkpoint.
    ///
    /// A classifier of BERT's own is refused: llama.cpp's converter leaves its pooler out.
    init(_ file: GGUFMetadata) throws(TextModelError) {
        var names = BertNames()
        if file.hasTensor("blk.0.attn_qkv.weight") { names.joint = "attention.self.joint" }
        let types = file.rows(of: "token_types.weight")
        // DistilBERT alone has no types, and another activation in its classifier.
        names.classifier = [
            ("classifier.dense", false, types == nil ? .relu : .tanh), ("classifier.out_proj", false, .identity),
        ]
        if file.hasTensor("cls.output.weight"), !file.hasTensor("cls.weight") {
            throw TextModelError(
                .unsupported,
                "\(file.file.path): \"cls.weight\" is missing, the pooler that BERT's classifier stands on; take the checkpoint "
                    + "in safetensors")
        }
        try file.requireClassifierPooling(.first)
        let shape = try DecoderShape(encoder: file), count = file.rows(of: "position_embd.weight") ?? 0
        guard count >= shape.context else {
            throw file.refusal(
                "context_length", "is \(shape.context), but there are \(count) rows of \"position_embd.weight\"")
        }
        configuration = BertModel.Configuration(
            shape: shape, feedForward: try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward),
            activation: try file.activation(absent: .geluErf),
            epsilon: Float(try file.positive("attention.layer_norm_epsilon")),
            positions: .learned(count: count, padding: nil), tokenTypes: types ?? 0, names: names)
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

extension GGUFMetadata {
    /// Rows of a tensor's outermost dimension; nil where the file does not have it.
    func rows(of tensor: String) -> Int? { file.header.tensors[tensor]?.shape.first }

    /// The feed-forward's activation.
    ///
    /// - Throws: `TextModelError.unsupported` for one that is not known here.
    func activation(absent: Device.Activation) throws(TextModelError) -> Device.Activation {
        switch text("hidden_activation") {
        case nil: return absent
        case "gelu": return .geluErf
        case "gelu_pytorch_tanh", "gelu_new": return .geluTanh
        case "silu", "swish": return .silu
        case "relu": return .relu
        case let name?: throw refusal("hidden_activation", "is \"\(name)\", which is not supported", .unsupported)
        }
    }

    /// - Throws: `TextModelError.unsupported` where a classifier sees another state than it does in the architecture.
    func requireClassifierPooling(_ mode: PoolingMode) throws(TextModelError) {
        let own = try classifierPooling() ?? mode
        guard own == mode else {
            throw refusal("classifier.pooling_type", "is \(own.rawValue), which is not supported here", .unsupported)
        }
    }

    func classifierPooling() throws(TextModelError) -> PoolingMode? {
        switch try integer("classifier.pooling_type") {
        case nil: return nil
        case 1: return .mean
        case 2: return .first
        case let type?: throw refusal("classifier.pooling_type", "is \(type); known: 1 (mean), 2 (cls)", .unsupported)
        }
    }
}

extension DecoderShape {
    /// The extents of an encoder, all of whose heads have keys and values of their own.
    init(encoder file: GGUFMetadata) throws(TextModelError) {
        try self.init(file)
        guard kvHeads == heads, headDim * heads == hidden else {
            throw file.refusal(
                "attention.head_count",
                "is \(heads), of \(kvHeads) key-value heads and width \(headDim); all of \(hidden) "
                    + "numbers must be heads", .unsupported)
        }
    }

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
