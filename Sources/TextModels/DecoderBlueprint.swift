package import JSON
package import Layers
package import Tensors

/// What a model is made of all of whose weights are trained: the form of GPT-2 or of Llama, as a `config.json` says it.
package struct DecoderBlueprint: Sendable {
    package enum Form: String, Sendable, CaseIterable {
        /// Layer norms, learned positions, a plain feed-forward, biases (Radford et al. 2019).
        case gpt2
        /// RMSNorm, rotary positions, grouped heads, a gated feed-forward (arXiv 2302.13971).
        case llama
    }

    package let form: Form
    package let shape: DecoderShape
    /// F.
    package let feedForward: Int
    package let epsilon: Float
    package let activation: Device.Activation
    /// What attention's scores are multiplied by.
    package let attentionScale: Float
    /// Whether the embedding is the head.
    package let isTied: Bool
    package let hasAttentionBiases: Bool
    package let hasFeedForwardBiases: Bool
    /// How heads are turned; nil where positions are learned.
    package let rotary: RotaryFrequencies?
    /// The part of embeddings, and of what blocks add, that is dropped in training.
    package let embeddingDropout: Float
    package let blockDropout: Float
    /// The deviation of the first weights.
    package let initializerRange: Float
    /// The configuration as it was given.
    package let json: JSONObject
    private let gpt2: GPT2Model.Configuration?
    private let llama: Decoder.Configuration?

    /// - Throws: `TextModelError` that names the file and the field: another architecture, or dropout of attention's weights.
    package init(_ file: ConfigurationFile) throws(TextModelError) {
        let type = try file.text("model_type") ?? ""
        guard let form = Form(rawValue: type) else {
            throw file.refusal(
                "model_type", "is \"\(type)\"; all weights are trained of gpt2 and llama only", .unsupported)
        }
        if file.has("quantization_config") {
            throw file.refusal(
                "quantization_config", "is there; weights that are trained are not quantized", .unsupported)
        }
        (self.form, json) = (form, file.json)
        func rate(_ name: String) throws(TextModelError) -> Float {
            let value = try file.number(name) ?? 0
            guard value >= 0, value < 1 else { throw file.refusal(name, "is \(value), outside [0, 1)") }
            return Float(value)
        }
        for name in ["attn_pdrop", "attention_dropout"] where try rate(name) > 0 {
            throw file.refusal(
                name, "is \(try rate(name)); attention's weights are not dropped here: set it to 0", .unsupported)
        }
        initializerRange = Float(try file.positive("initializer_range", absent: 0.02))
        switch form {
        case .gpt2:
            let own = try GPT2(file).configuration
            (gpt2, llama, rotary) = (own, nil, nil)
            (shape, feedForward, epsilon, isTied) = (own.shape, own.feedForward, own.epsilon, own.isTied)
            (activation, attentionScale) = (own.activation, own.scale)
            (hasAttentionBiases, hasFeedForwardBiases) = (true, true)
            (embeddingDropout, blockDropout) = (try rate("embd_pdrop"), try rate("resid_pdrop"))
        case .llama:
            let own = try Llama(file).configuration
            (gpt2, llama, rotary) = (nil, own, own.rotary)
            (shape, feedForward, epsilon, isTied) = (own.shape, own.feedForward.width, own.epsilon, own.isTied)
            (activation, attentionScale) = (own.feedForward.activation, own.attention.scale)
            (hasAttentionBiases, hasFeedForwardBiases) = (own.attention.inputBias, own.feedForward.bias)
            (embeddingDropout, blockDropout) = (0, 0)
        }
    }

    /// The model that serves, of weights as they are now.
    ///
    /// - Throws: `TensorError` that names a tensor that `source` has not.
    package func model(of source: any WeightSource, on device: Device) throws(TensorError) -> any TextModel {
        let loader = WeightLoader(checkpoint: source, device: device)
        if let gpt2 { return try GPT2Model(gpt2, loader) }
        guard let llama else { preconditionFailure("a blueprint of no form") }
        return try Decoder(llama, loader)
    }
}

extension DecoderBlueprint {
    /// The extents of a new model, as a user chooses them.
    package struct Extents: Sendable, Hashable {
        package var layers = 12
        package var width = 768
        package var heads = 12
        /// As many as `heads` by default.
        package var kvHeads: Int?
        /// 4 C of GPT-2, and 8/3 C of Llama, rounded up to a multiple of 64, by default.
        package var feedForward: Int?
        package var context = 1_024
        package var isTied = true

        package init() {}
    }

    /// The `config.json` of a new model.
    ///
    /// - Parameters:
    ///   - vocabulary: tokens.
    ///   - endToken: that which ends a text.
    package static func configuration(
        _ form: Form, _ extents: Extents, vocabulary: Int, endToken: Int32
    ) -> ConfigurationFile {
        func number(_ value: Int) -> JSONValue { .number(JSONNumber("\(value)")) }
        func number(_ value: String) -> JSONValue { .number(JSONNumber(value)) }
        let c = extents.width
        let own: [(key: String, value: JSONValue)] =
            switch form {
            case .gpt2:
                [
                    ("architectures", .array([.string(GPT2.className)])), ("n_positions", number(extents.context)),
                    ("n_embd", number(c)), ("n_layer", number(extents.layers)), ("n_head", number(extents.heads)),
                    ("n_inner", number(extents.feedForward ?? 4 * c)), ("activation_function", .string("gelu_new")),
                    ("layer_norm_epsilon", number("1e-05")), ("embd_pdrop", number("0.0")),
                    ("resid_pdrop", number("0.0")), ("attn_pdrop", number("0.0")),
                ]
            case .llama:
                [
                    ("architectures", .array([.string(Llama.className)])),
                    ("max_position_embeddings", number(extents.context)), ("hidden_size", number(c)),
                    ("num_hidden_layers", number(extents.layers)), ("num_attention_heads", number(extents.heads)),
                    ("num_key_value_heads", number(extents.kvHeads ?? extents.heads)),
                    ("intermediate_size", number(extents.feedForward ?? (8 * c / 3 + 63) / 64 * 64)),
                    ("hidden_act", .string("silu")), ("rms_norm_eps", number("1e-05")),
                    ("rope_theta", number("10000.0")),
                    ("attention_bias", .bool(false)), ("attention_dropout", number("0.0")), ("mlp_bias", .bool(false)),
                ]
            }
        let common: [(key: String, value: JSONValue)] = [
            ("model_type", .string(form.rawValue)), ("vocab_size", number(vocabulary)),
            ("bos_token_id", number(Int(endToken))), ("eos_token_id", number(Int(endToken))),
            ("tie_word_embeddings", .bool(extents.isTied)), ("initializer_range", number("0.02")),
        ]
        return ConfigurationFile(
            JSONObject(common + own), named: "the configuration of --architecture \(form.rawValue)")
    }
}
