import Layers

/// The extents of a decoder.
package struct DecoderShape: Sendable, Hashable {
    package var vocabulary: Int
    /// The most positions a sequence may have.
    package var context: Int
    package var hidden: Int
    package var layers: Int
    package var heads: Int
    package var kvHeads: Int
    package var headDim: Int

    /// Sane ranges of the extents, whatever a file says.
    enum Limits {
        static let vocabulary = 1...4_000_000
        static let context = 1...1_048_576
        static let hidden = 1...65_536
        static let layers = 1...1_024
        static let heads = 1...1_024
        static let headDim = 2...512
        static let experts = 1...1_024
        static let feedForward = 1...1_048_576
    }

    package init(
        vocabulary: Int, context: Int, hidden: Int, layers: Int, heads: Int, kvHeads: Int, headDim: Int
    ) {
        (self.vocabulary, self.context, self.hidden, self.layers) = (vocabulary, context, hidden, layers)
        (self.heads, self.kvHeads, self.headDim) = (heads, kvHeads, headDim)
    }

    /// The extents under the names that Llama gave them.
    ///
    /// - Parameters:
    ///   - headDim: D where the file does not say it; C / H by default.
    ///   - context: positions where the file does not say it.
    ///   - heads: H where the file does not say it; it must by default.
    ///   - kvHeads: G where the file does not say it; H by default.
    ///   - vocabulary: V where the file does not say it; it must by default.
    /// - Throws: `TextModelError` that names the field.
    init(
        _ file: ConfigurationFile, headDim: Int? = nil, context: Int, heads: Int? = nil, kvHeads: Int? = nil,
        vocabulary: Int? = nil
    ) throws(TextModelError) {
        hidden = try file.extent("hidden_size", in: Limits.hidden)
        let heads = try file.extent("num_attention_heads", in: Limits.heads, absent: heads)
        self.heads = heads
        self.kvHeads = try file.extent("num_key_value_heads", in: 1...heads, absent: kvHeads ?? heads)
        self.headDim = try file.extent("head_dim", in: Limits.headDim, absent: headDim ?? hidden / heads)
        self.vocabulary = try file.extent("vocab_size", in: Limits.vocabulary, absent: vocabulary)
        self.context = try file.extent("max_position_embeddings", in: Limits.context, absent: context)
        layers = try file.extent("num_hidden_layers", in: Limits.layers)
        try checkHeads(file.path)
    }

    /// - Parameters:
    ///   - headDim: D; read from the file by default.
    ///   - kvHeads: G; read from the file by default.
    /// - Throws: `TextModelError` that names the key.
    init(_ file: GGUFMetadata, headDim: Int? = nil, kvHeads: Int? = nil) throws(TextModelError) {
        hidden = try file.extent("embedding_length", in: Limits.hidden)
        heads = try file.extent("attention.head_count", in: Limits.heads)
        // A layer without attention has none.
        if let kvHeads {
            self.kvHeads = kvHeads
        } else {
            self.kvHeads = try file.extent(
                "attention.head_count_kv", in: 1...heads, absent: heads, ignoringZeros: true)
        }
        if let headDim {
            self.headDim = headDim
        } else {
            self.headDim = try file.extent("attention.key_length", in: Limits.headDim, absent: hidden / heads)
        }
        if headDim == nil, let value = try file.integer("attention.value_length"),
            try file.integer("attention.key_length") != nil,
            value != self.headDim
        {
            throw file.refusal(
                "attention.value_length", "is \(value), but keys are \(self.headDim) wide; they must be equal")
        }
        guard let vocabulary = file.vocabulary, Limits.vocabulary.contains(vocabulary) else {
            throw TextModelError(
                .invalidCheckpoint, "\(file.file.path): \"token_embd.weight\" is missing or has an absurd shape")
        }
        self.vocabulary = vocabulary
        context = try file.extent("context_length", in: Limits.context)
        // Those behind the others draft tokens, and are not computed here.
        let all = try file.extent("block_count", in: Limits.layers)
        layers = all - (try file.extent(GGUFMetadata.draftLayers, in: 0...all - 1, absent: 0))
        try checkHeads(file.file.path)
    }

    private func checkHeads(_ path: String) throws(TextModelError) {
        guard heads % kvHeads == 0, headDim % 2 == 0 else {
            throw TextModelError(
                .invalidCheckpoint,
                "\(path): \(heads) heads of width \(headDim) cannot share \(kvHeads) key-value heads")
        }
    }
}
