import Layers
import Tensors

/// Granite 3 and 4 (arXiv 2408.13359), dense: Llama with multipliers for embeddings, scores, blocks and logits.
struct Granite: DecoderArchitecture {
    static let modelType = "granite"
    static let className = "GraniteForCausalLM"
    static let gguf: GGUFLayout? = GGUFLayout(
        name: "granite", keys: Decoder.Configuration.multiplierKeys, interleavesRotaryRows: true)

    private(set) var configuration: Decoder.Configuration

    init(_ file: ConfigurationFile) throws(TextModelError) {
        configuration = try Decoder.Configuration(file, context: 2_048)
        try configuration.readAttentionBias(file)
        try configuration.readMultipliers(file)
        configuration.feedForward.bias = try file.bool("mlp_bias") ?? false
    }

    init(_ file: GGUFMetadata) throws(TextModelError) {
        configuration = try Decoder.Configuration(file)
        try configuration.readMultipliers(file)
    }
}

extension Decoder.Configuration {
    /// Keys of a GGUF file that ``readMultipliers(_:)`` reads.
    static let multiplierKeys: Set<String> = ["attention.scale", "embedding_scale", "logit_scale", "residual_scale"]

    /// Granite's multipliers. Logits are divided by theirs.
    mutating func readMultipliers(_ file: ConfigurationFile) throws(TextModelError) {
        scales.embedding = Float(try file.number("embedding_multiplier") ?? 1)
        scales.residual = Float(try file.number("residual_multiplier") ?? 1)
        scales.logits = 1 / Float(try file.positive("logits_scaling", absent: 1))
        attention.scale = Float(try file.number("attention_multiplier") ?? 1)
    }

    mutating func readMultipliers(_ file: GGUFMetadata) throws(TextModelError) {
        scales.embedding = Float(try file.positive("embedding_scale", absent: 1))
        scales.residual = Float(try file.positive("residual_scale", absent: 1))
        scales.logits = 1 / Float(try file.positive("logit_scale", absent: 1))
        attention.scale = Float(try file.positive("attention.scale", absent: Double(attention.scale)))
    }
}
