import Foundation

/// The fields of `config.json` and `generation_config.json` that the architectures read.
struct CheckpointConfiguration: Decodable, Sendable {
    /// One id, or several.
    struct TokenIDs: Decodable, Sendable {
        var ids: [Int32]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let one = try? container.decode(Int32.self) {
                ids = [one]
            } else {
                ids = try container.decode([Int32].self)
            }
        }
    }

    struct RopeScaling: Decodable, Sendable {
        var rope_type: String?
        var type: String?
        var rope_theta: Double?
        var factor: Double?
        var low_freq_factor: Double?
        var high_freq_factor: Double?
        var original_max_position_embeddings: Int?
    }

    var model_type: String?
    var architectures: [String]?
    var vocab_size: Int?
    var tie_word_embeddings: Bool?
    var bos_token_id: TokenIDs?
    var eos_token_id: TokenIDs?
    // generation_config.json
    var temperature: Float?
    var top_k: Int?
    var top_p: Float?
    var min_p: Float?
    var repetition_penalty: Float?
    // Llama
    var hidden_size: Int?
    var intermediate_size: Int?
    var num_hidden_layers: Int?
    var num_attention_heads: Int?
    var num_key_value_heads: Int?
    var head_dim: Int?
    var max_position_embeddings: Int?
    var rms_norm_eps: Double?
    var rope_theta: Double?
    var rope_scaling: RopeScaling?
    var rope_parameters: RopeScaling?
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var hidden_act: String?
    // GPT-2
    var n_embd: Int?
    var n_layer: Int?
    var n_head: Int?
    var n_positions: Int?
    var n_inner: Int?
    var layer_norm_epsilon: Double?
    var activation_function: String?
    var scale_attn_by_inverse_layer_idx: Bool?
    var reorder_and_upcast_attn: Bool?

    /// - Throws: `TextModelError.invalidCheckpoint` that names the file.
    static func read(_ path: String) throws(TextModelError) -> CheckpointConfiguration {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(path): \(error.localizedDescription)")
        }
        do { return try JSONDecoder().decode(CheckpointConfiguration.self, from: data) } catch {
            var what = "it is not a JSON object"
            if case DecodingError.typeMismatch(_, let context) = error, let key = context.codingPath.last {
                what = "\"\(key.stringValue)\" has the wrong type"
            }
            throw TextModelError(.invalidCheckpoint, "\(path) is not a model configuration: \(what)")
        }
    }

    /// A required extent within its sane range.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` when it is missing or absurd.
    static func extent(_ value: Int?, _ name: String, in range: ClosedRange<Int>) throws(TextModelError) -> Int {
        guard let value else { throw TextModelError(.invalidCheckpoint, "config.json has no \"\(name)\"") }
        guard range.contains(value) else {
            throw TextModelError(
                .invalidCheckpoint,
                "config.json: \"\(name)\" is \(value), outside \(range.lowerBound)…\(range.upperBound)")
        }
        return value
    }

    static func activation(_ name: String?) throws(TextModelError) -> String {
        let known = ["gelu_new", "gelu_pytorch_tanh", "gelu", "silu", "relu", "quick_gelu"]
        guard let name, known.contains(name) else {
            throw TextModelError(
                .unsupported, "config.json: activation \"\(name ?? "none")\" is not supported; known: \(known)")
        }
        return name
    }
}
