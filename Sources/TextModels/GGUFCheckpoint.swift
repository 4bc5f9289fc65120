import Foundation
import GGUF
import Tensors

/// A GGUF file as a checkpoint: its metadata as `config.json` has them, its tensors by Hugging Face's names.
///
/// | GGUF (`A` the architecture)                      | here                                                      |
/// |--------------------------------------------------|-----------------------------------------------------------|
/// | `A.embedding_length`, `A.block_count`, …         | `hidden_size`, `num_hidden_layers`, …                      |
/// | `blk.N.attn_q.weight`, …                         | `model.layers.N.self_attn.q_proj.weight`, … (`layerNames`) |
/// | rows of Llama's queries and keys                 | put back: RoPE's pairs stand side by side in the file      |
/// | `rope_freqs.weight`, `rope_factors_*.weight`     | a factor for each wavelength, as LongRoPE's                |
/// | no `output.weight`                               | the embedding is the head                                  |
struct GGUFCheckpoint: Sendable {
    let file: GGUFFile
    /// `general.architecture`.
    let architecture: String

    static let architectures = ["gemma2", "gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3"]

    /// - Throws: `TextModelError` that names the file: it cannot be read, or its architecture is not known.
    init(path: String) throws(TextModelError) {
        do { file = try GGUFFile(path: path) } catch { throw TextModelError(error) }
        guard let architecture = file.header.metadata["general.architecture"]?.text else {
            throw TextModelError(.invalidCheckpoint, "\(path) has no \"general.architecture\"")
        }
        guard Self.architectures.contains(architecture) else {
            throw TextModelError(
                .unsupported,
                "\(path): architecture \"\(architecture)\" is not supported; known: "
                    + Self.architectures.joined(separator: ", "))
        }
        self.architecture = architecture
    }

    // MARK: Metadata

    private func value(_ key: String) -> GGUFValue? { file.header.metadata[architecture + "." + key] }

    private func malformed(_ key: String, _ what: String) -> TextModelError {
        TextModelError(.invalidCheckpoint, "\(file.path): \"\(architecture).\(key)\" \(what)")
    }

    /// A number, or the one that every layer has in a list.
    private func integer(_ key: String) throws(TextModelError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let list = value.array else {
            guard let integer = value.integer else { throw malformed(key, "is not a whole number") }
            return integer
        }
        let integers = list.compactMap(\.integer)
        guard let first = integers.first, integers.count == list.count else {
            throw malformed(key, "is a list that holds something else than whole numbers")
        }
        guard integers.allSatisfy({ $0 == first }) else {
            throw TextModelError(
                .unsupported,
                "\(file.path): \"\(architecture).\(key)\" differs from layer to layer, which is not supported")
        }
        return first
    }

    private func required(_ key: String) throws(TextModelError) -> Int {
        guard let integer = try integer(key) else { throw malformed(key, "is missing") }
        return integer
    }

    private func number(_ key: String) throws(TextModelError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.number else { throw malformed(key, "is not a number") }
        return number
    }

    /// The metadata under the names that `config.json` has for them.
    ///
    /// - Throws: `TextModelError` that names the file and the key.
    func configuration() throws(TextModelError) -> CheckpointConfiguration {
        let json = try read()
        try refuseUnknownKeys()
        try refuseUnknownTensors()
        return json
    }

    private func read() throws(TextModelError) -> CheckpointConfiguration {
        if let experts = try integer("expert_count"), experts > 0 {
            throw TextModelError(.unsupported, "\(file.path): a mixture of \(experts) experts is not supported")
        }
        var json = CheckpointConfiguration()
        let window = try integer("attention.sliding_window").flatMap { $0 > 0 ? $0 : nil }
        json.model_type = architecture == "llama" && window != nil ? "mistral" : architecture
        json.sliding_window = window.map { .given($0) } ?? .null
        json.vocab_size = file.header.tensors["token_embd.weight"]?.shape.first
        json.tie_word_embeddings = file.header.tensors["output.weight"] == nil
        let (hidden, layers, heads) =
            (try required("embedding_length"), try required("block_count"), try required("attention.head_count"))
        let context = try required("context_length")
        if architecture == "gpt2" {
            (json.n_embd, json.n_layer, json.n_head, json.n_positions) = (hidden, layers, heads, context)
            json.n_inner = try integer("feed_forward_length")
            json.layer_norm_epsilon = try number("attention.layer_norm_epsilon")
            return json
        }
        (json.hidden_size, json.num_hidden_layers, json.num_attention_heads) = (hidden, layers, heads)
        json.max_position_embeddings = context
        json.intermediate_size = try required("feed_forward_length")
        json.num_key_value_heads = try integer("attention.head_count_kv")
        json.head_dim = try headDim(hidden: hidden, heads: heads)
        json.rms_norm_eps = try number("attention.layer_norm_rms_epsilon")
        json.attention_bias = file.header.tensors["blk.0.attn_q.bias"] != nil
        json.mlp_bias = file.header.tensors["blk.0.ffn_gate.bias"] != nil
        try addRotation(&json)
        if architecture == "gemma2" { try addGemma2(&json) }
        return json
    }

    /// Keys of the architecture that are read, or change nothing here.
    private static let known: Set<String> = [
        "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon", "attention.sliding_window", "attention.value_length", "block_count",
        "context_length", "embedding_length", "feed_forward_length", "rope.dimension_count", "rope.freq_base",
        "rope.scale_linear", "rope.scaling.attn_factor", "rope.scaling.factor", "rope.scaling.finetuned",
        "rope.scaling.original_context_length", "rope.scaling.type", "tensor_data_layout", "vocab_size",
        "pooling_type",
    ]

    /// A key that is not known is an error unless it is 0 or false: it may say that the model computes otherwise.
    ///
    /// - Throws: `TextModelError.unsupported` that names the file and the key.
    private func refuseUnknownKeys() throws(TextModelError) {
        let own = architecture + "."
        let caps: Set<String> = ["attn_logit_softcapping", "final_logit_softcapping"]
        for (key, value) in file.header.metadata.sorted(by: { $0.key < $1.key }) where key.hasPrefix(own) {
            let name = String(key.dropFirst(own.count))
            if Self.known.contains(name) || architecture == "gemma2" && caps.contains(name) { continue }
            let isOff: Bool =
                switch value {
                // The one flag that is on by default.
                case .bool(let flag): name == "attention.causal" ? flag : !flag
                case .integer(let number): number == 0 || name == "expert_count"
                case .float(let number):
                    number == 0 || number == 1 && ["logit_scale", "residual_scale", "embedding_scale"].contains(name)
                case .string, .array: false
                }
            guard isOff else {
                throw TextModelError(
                    .unsupported, "\(file.path): the key \"\(key)\" asks for something that is not computed here")
            }
        }
    }

    /// A tensor that nothing reads would have changed what the model computes.
    ///
    /// - Throws: `TextModelError.unsupported` that names the file and the tensor.
    private func refuseUnknownTensors() throws(TextModelError) {
        let own = architecture == "gemma2" ? Self.gemma2Names : [:]
        let stems = Set(Self.layerNames.merging(own) { $1 }.values)
        let globals = Set(Self.globalNames.values).union(["rope_freqs", "rope_factors_long", "rope_factors_short"])
        for name in file.header.tensors.keys.sorted() {
            guard let dot = name.lastIndex(of: "."), ["weight", "bias"].contains(name[name.index(after: dot)...]) else {
                throw unknownTensor(name)
            }
            let parts = name[..<dot].split(separator: ".", maxSplits: 2)
            let isKnown =
                parts.count == 3 && parts[0] == "blk"
                ? stems.contains(String(parts[2])) : globals.contains(String(name[..<dot]))
            // Llama's older files hold frequencies that follow from the base.
            if !isKnown, !name.hasSuffix(".attn_rot_embd.weight"), !name.hasSuffix(".rope_freqs.weight") {
                throw unknownTensor(name)
            }
        }
    }

    private func unknownTensor(_ name: String) -> TextModelError {
        TextModelError(
            .unsupported,
            "\(file.path): the tensor \"\(name)\" is not known for \"\(architecture)\" and would be left out")
    }

    private func headDim(hidden: Int, heads: Int) throws(TextModelError) -> Int {
        let key = try integer("attention.key_length")
        if let value = try integer("attention.value_length"), let key, key != value {
            throw malformed("attention.value_length", "is \(value), but keys are \(key) wide; they must be equal")
        }
        guard heads > 0 else { throw malformed("attention.head_count", "is \(heads)") }
        return key ?? hidden / heads
    }

    private func addRotation(_ json: inout CheckpointConfiguration) throws(TextModelError) {
        json.rope_theta = try number("rope.freq_base").map { .given($0) } ?? .absent
        if let rotary = try integer("rope.dimension_count"), let headDim = json.head_dim, rotary != headDim {
            // A little more than the part, so that the product with the whole is not rounded to less.
            json.partial_rotary_factor = (Double(rotary) + 0.25) / Double(max(1, headDim))
        }
        var scaling = CheckpointConfiguration.RopeScaling()
        let own = try factors("rope_factors_long.weight"), llama = try factors("rope_freqs.weight")
        if let long = own ?? llama {
            scaling.rope_type = "longrope"
            scaling.long_factor = long
            scaling.short_factor = try factors("rope_factors_short.weight") ?? long
            scaling.original_max_position_embeddings =
                try integer("rope.scaling.original_context_length") ?? json.max_position_embeddings
            scaling.attention_factor = try number("rope.scaling.attn_factor") ?? 1
        } else if let kind = value("rope.scaling.type")?.text, kind != "none" {
            scaling.rope_type = kind
            scaling.factor = try number("rope.scaling.factor")
        } else if value("rope.scaling.type") == nil, let factor = try number("rope.scale_linear"), factor != 1 {
            // Before `rope.scaling.type` there was this key.
            scaling.rope_type = "linear"
            scaling.factor = factor
        } else {
            return
        }
        json.rope_scaling = scaling
    }

    private func factors(_ name: String) throws(TextModelError) -> [Double]? {
        guard file.header.tensors[name] != nil else { return nil }
        do {
            return try file.tensor(name).widened().floats.map { Double($0) }
        } catch {
            throw TextModelError(error)
        }
    }

    private func addGemma2(_ json: inout CheckpointConfiguration) throws(TextModelError) {
        if let cap = try number("attn_logit_softcapping") { json.attn_logit_softcapping = .given(cap) }
        if let cap = try number("final_logit_softcapping") { json.final_logit_softcapping = .given(cap) }
        // The file does not say what scores are divided by; only the 27B model, of 46 layers, differs.
        let (hidden, heads) = (json.hidden_size ?? 0, max(1, json.num_attention_heads ?? 1))
        json.query_pre_attn_scalar = Double((json.num_hidden_layers == 46 ? hidden / heads : json.head_dim) ?? 0)
    }
}

// MARK: - Tensors

extension GGUFCheckpoint: WeightSource {
    var layout: WeightLayout { .gguf }

    func contains(_ name: String) -> Bool { own(name).map { file.header.tensors[$0] != nil } ?? false }

    /// A tensor's shape without reading it.
    func shape(of name: String) -> [Int]? { own(name).flatMap { file.header.tensors[$0]?.shape } }

    func tensor(_ name: String, shape: [Int]?, rows: Range<Int>?) throws(TensorError) -> Tensor {
        let tensor = try file.tensor(try ownName(name), shape: shape, rows: rows)
        guard let order = rowOrder(name, rows: tensor.shape.first ?? 0) else { return tensor }
        // A bias is a column.
        let columns = tensor.shape.count == 1 ? tensor.reshaped(tensor.shape + [1]) : tensor
        return try columns.selectingRows(order).reshaped(tensor.shape)
    }

    func blocks(_ name: String, shape: [Int], rows: Range<Int>?) throws(TensorError) -> BlockMatrix? {
        guard let matrix = try file.blocks(try ownName(name), shape: shape, rows: rows) else { return nil }
        guard let order = rowOrder(name, rows: shape[0]) else { return matrix }
        return try matrix.reordered(order)
    }

    private func ownName(_ name: String) throws(TensorError) -> String {
        guard let own = own(name) else {
            throw TensorError(.missing, "a GGUF file of \(architecture) has no tensor for \"\(name)\"")
        }
        return own
    }

    /// A number that the configuration has been read with.
    private func count(_ key: String) -> Int? { (try? integer(key)) ?? nil }

    /// (Of a tensor whose rows are in another order all are read.) Llama's files hold the rows that RoPE turns together side by side: row 2i + j of a head is its row j · D/2 + i.
    private func rowOrder(_ name: String, rows: Int) -> [Int]? {
        guard architecture == "llama" || architecture == "mistral",
            name.contains("self_attn.q_proj.") || name.contains("self_attn.k_proj."),
            let heads = count("attention.head_count"), heads > 0
        else { return nil }
        let kvHeads = count("attention.head_count_kv") ?? heads
        let count = name.contains("q_proj") ? heads : kvHeads
        guard count > 0, rows % count == 0, rows / count % 2 == 0 else { return nil }
        let (headDim, half) = (rows / count, rows / count / 2)
        return (0..<rows).map { row in
            let (head, inHead) = (row / headDim, row % headDim)
            return head * headDim + inHead % half * 2 + inHead / half
        }
    }

    /// The file's name for one of Hugging Face's.
    private func own(_ name: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let (stem, kind) = (name[..<dot], name[dot...])
        if let global = Self.globalNames[String(stem)] { return global + kind }
        for prefix in ["model.layers.", "h."] where stem.hasPrefix(prefix) {
            let rest = stem.dropFirst(prefix.count)
            guard let end = rest.firstIndex(of: ".") else { return nil }
            let part = String(rest[rest.index(after: end)...])
            let special = architecture == "gemma2" ? Self.gemma2Names[part] : nil
            return (special ?? Self.layerNames[part]).map { "blk.\(rest[..<end]).\($0)\(kind)" }
        }
        return nil
    }

    private static let globalNames = [
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
        "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm",
    ]

    private static let layerNames = [
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "self_attn.qkv_proj": "attn_qkv",
        "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "mlp.gate_up_proj": "ffn_up",
        // GPT-2
        "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
        "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    ]

    private static let gemma2Names = [
        "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    ]
}
