import Foundation
import Tensors

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

    /// A field for which transformers tells apart that it is left out and that it is null.
    enum Nullable<Value: Decodable & Sendable>: Decodable, Sendable {
        case absent, null
        case given(Value)

        init(from decoder: any Decoder) throws { self = .given(try decoder.singleValueContainer().decode(Value.self)) }

        /// The value, or the architecture's own where the file does not name the field; nil for null.
        func value(absent: Value?) -> Value? {
            switch self {
            case .absent: absent
            case .null: nil
            case .given(let value): value
            }
        }
    }

    struct Quantization: Decodable, Sendable {
        var quant_method: String?
    }

    struct RopeScaling: Decodable, Hashable, Sendable {
        init() {}

        /// What it does, without the base and whatever its kind's field is called.
        var effect: RopeScaling {
            var other = self
            (other.rope_type, other.type, other.rope_theta) = (rope_type ?? type ?? "default", nil, nil)
            return other
        }

        var rope_type: String?
        var type: String?
        var rope_theta: Double?
        var factor: Double?
        var low_freq_factor: Double?
        var high_freq_factor: Double?
        var original_max_position_embeddings: Int?
        var partial_rotary_factor: Double?
        var short_factor: [Double]?
        var long_factor: [Double]?
        var attention_factor: Double?
    }

    init() {}

    var model_type: String?
    var architectures: [String]?
    var vocab_size: Int?
    var tie_word_embeddings: Bool?
    var bos_token_id: TokenIDs?
    var eos_token_id: TokenIDs?
    var quantization_config: Quantization?
    // generation_config.json
    var temperature: Float?
    var top_k: Int?
    var top_p: Float?
    var min_p: Float?
    var repetition_penalty: Float?
    // Llama and those that took over its names
    var hidden_size: Int?
    var intermediate_size: Int?
    var num_hidden_layers: Int?
    var num_attention_heads: Int?
    var num_key_value_heads: Int?
    var head_dim: Int?
    var max_position_embeddings: Int?
    var rms_norm_eps: Double?
    var rope_theta: Nullable<Double> = .absent
    var rope_scaling: RopeScaling?
    var rope_parameters: RopeScaling?
    var is_causal: Bool?
    var is_encoder_decoder: Bool?
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var hidden_act: String?
    // Mistral, Qwen, Gemma 2, Phi-3
    var sliding_window: Nullable<Int> = .absent
    var use_sliding_window: Bool?
    var max_window_layers: Int?
    var layer_types: [String]?
    // Phi-3
    var partial_rotary_factor: Double?
    var original_max_position_embeddings: Int?
    // Gemma 2
    var hidden_activation: String?
    var query_pre_attn_scalar: Double?
    var attn_logit_softcapping: Nullable<Double> = .absent
    var final_logit_softcapping: Nullable<Double> = .absent
    var use_bidirectional_attention: Bool?
    // GPT-2
    var n_embd: Int?
    var n_layer: Int?
    var n_head: Int?
    var n_positions: Int?
    var n_inner: Int?
    var layer_norm_epsilon: Double?
    var activation_function: String?
    var scale_attn_weights: Bool?
    var add_cross_attention: Bool?
    var scale_attn_by_inverse_layer_idx: Bool?
    var reorder_and_upcast_attn: Bool?

    /// - Throws: `TextModelError.invalidCheckpoint` that names the file and what stands where in it.
    static func read(_ path: String) throws(TextModelError) -> CheckpointConfiguration {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(path): \(error.localizedDescription)")
        }
        let json = PythonNumbers.quoted(data)
        do { return try JSONDecoder().decode(CheckpointConfiguration.self, from: json) } catch {
            var what = "it is not a JSON object"
            switch error {
            case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
                let key = context.codingPath.map(\.stringValue).joined(separator: ".")
                if !key.isEmpty { what = "\"\(key)\" has the wrong type\(PythonNumbers.note(in: data))" }
            case DecodingError.dataCorrupted(let context):
                let cause = context.underlyingError.map {
                    "\(($0 as NSError).userInfo[NSDebugDescriptionErrorKey] ?? $0)"
                }
                what = cause ?? context.debugDescription
            default: break
            }
            throw TextModelError(.invalidCheckpoint, "\(path) is not a model configuration: \(what)")
        }
    }

    /// What no architecture here computes, whatever its own fields say.
    ///
    /// - Throws: `TextModelError.unsupported` that names the field.
    func refuseUnsupported() throws(TextModelError) {
        if is_causal == false {
            throw TextModelError(
                .unsupported, "config.json: \"is_causal\" is false: attention in both directions is not supported")
        }
        if is_encoder_decoder == true {
            throw TextModelError(.unsupported, "config.json: \"is_encoder_decoder\" is true, which is not supported")
        }
        if case .null = rope_theta, rope_parameters?.rope_theta == nil {
            throw TextModelError(.unsupported, "config.json: \"rope_theta\" is null; give the number, or leave it out")
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

    /// - Throws: `TextModelError.unsupported` for an activation that is not known here.
    static func activation(_ name: String?) throws(TextModelError) -> Device.Activation {
        switch name {
        case "gelu_new", "gelu_pytorch_tanh": .geluTanh
        case "gelu": .geluErf
        case "quick_gelu": .geluQuick
        case "silu", "swish": .silu
        case "relu": .relu
        default:
            throw TextModelError(
                .unsupported,
                "config.json: activation \"\(name ?? "none")\" is not supported; known: gelu, gelu_new, "
                    + "gelu_pytorch_tanh, quick_gelu, relu, silu")
        }
    }

    /// - Throws: `TextModelError.invalidCheckpoint` for a number that is not positive.
    static func positive(_ value: Double, _ name: String) throws(TextModelError) -> Float {
        guard value > 0, value.isFinite else {
            throw TextModelError(.invalidCheckpoint, "config.json: \"\(name)\" is \(value); it must be positive")
        }
        return Float(value)
    }

    /// How many of the last positions a row of a windowed layer sees; nil for all.
    ///
    /// - Throws: `TextModelError.invalidCheckpoint` for a window of no positions.
    func window(absent: Int?) throws(TextModelError) -> Int? {
        guard let window = sliding_window.value(absent: absent) else { return nil }
        return try Self.extent(window, "sliding_window", in: 1...Int(Int32.max))
    }

    /// The window of each layer, 0 for none: as `layer_types` says, or else as the architecture does.
    ///
    /// - Throws: `TextModelError.unsupported` for a type of layer that is not known here.
    func windows(
        _ window: Int?, layers: Int, isWindowed: (Int) -> Bool
    ) throws(TextModelError) -> [Int] {
        guard let layer_types else { return (0..<layers).map { isWindowed($0) ? window ?? 0 : 0 } }
        guard layer_types.count == layers else {
            throw TextModelError(
                .invalidCheckpoint, "config.json: \"layer_types\" has \(layer_types.count) entries for \(layers) layers"
            )
        }
        var windows: [Int] = []
        for type in layer_types {
            switch (type, window) {
            case ("full_attention", _): windows.append(0)
            case ("sliding_attention", let window?): windows.append(window)
            case ("sliding_attention", nil):
                throw TextModelError(
                    .invalidCheckpoint, "config.json: \"layer_types\" has \"\(type)\", but there is no window")
            default:
                throw TextModelError(.unsupported, "config.json: \"layer_types\" has \"\(type)\", which is not known")
            }
        }
        return windows
    }
}

extension DecoderShape {
    /// From the names that Llama gave the extents.
    ///
    /// - Parameters:
    ///   - headDim: D where the file does not say it; C / H by default.
    ///   - context: positions where the file does not say it.
    /// - Throws: `TextModelError` that names the field.
    init(_ json: CheckpointConfiguration, headDim: Int?, context: Int) throws(TextModelError) {
        typealias Field = CheckpointConfiguration
        hidden = try Field.extent(json.hidden_size, "hidden_size", in: 1...65_536)
        heads = try Field.extent(json.num_attention_heads, "num_attention_heads", in: 1...1_024)
        kvHeads = try Field.extent(json.num_key_value_heads ?? heads, "num_key_value_heads", in: 1...heads)
        self.headDim = try Field.extent(json.head_dim ?? headDim ?? hidden / heads, "head_dim", in: 2...256)
        guard heads % kvHeads == 0, self.headDim % 2 == 0 else {
            throw TextModelError(
                .invalidCheckpoint,
                "config.json: \(heads) heads of width \(self.headDim) cannot share \(kvHeads) key-value heads")
        }
        vocabulary = try Field.extent(json.vocab_size, "vocab_size", in: 1...4_000_000)
        self.context = try Field.extent(
            json.max_position_embeddings ?? context, "max_position_embeddings", in: 1...1_048_576)
        layers = try Field.extent(json.num_hidden_layers, "num_hidden_layers", in: 1...1_024)
    }
}

extension KeyedDecodingContainer {
    /// What the decoder that the compiler makes calls for a `Nullable` field.
    func decode<Value>(
        _ type: CheckpointConfiguration.Nullable<Value>.Type, forKey key: Key
    ) throws -> CheckpointConfiguration.Nullable<Value> {
        guard contains(key) else { return .absent }
        return try decodeNil(forKey: key) ? .null : .given(try decode(Value.self, forKey: key))
    }
}

/// The numbers that Python's `json` writes and JSON does not know.
enum PythonNumbers {
    private static let words = ["-Infinity", "Infinity", "NaN"]

    /// The same text with those numbers as strings: where one is needed its field has the wrong type, elsewhere it does no harm.
    static func quoted(_ data: Data) -> Data {
        var out = Data()
        out.reserveCapacity(data.count)
        var (isString, isEscaped) = (false, false)
        var index = data.startIndex
        while index < data.endIndex {
            let byte = data[index]
            if isString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isString = false
                }
            } else if byte == 0x22 {
                isString = true
            } else if let word = words.first(where: { data[index...].starts(with: Array($0.utf8)) }) {
                out.append(contentsOf: Array("\"\(word)\"".utf8))
                index += word.utf8.count
                continue
            }
            out.append(byte)
            index += 1
        }
        return out
    }

    /// Says so where the file has such numbers.
    static func note(in data: Data) -> String {
        quoted(data).count > data.count ? " (the file has Infinity or NaN, which is not JSON)" : ""
    }
}
