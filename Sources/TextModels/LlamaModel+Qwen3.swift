/// Qwen 3 (arXiv 2505.09388), dense: Llama with an RMSNorm over each head's queries and keys in place of Qwen 2's
/// biases, heads as wide as `head_dim` says, and Qwen 2's windows.
extension LlamaModel.Configuration {
    /// - Throws: `TextModelError` that names the field.
    static func qwen3(_ json: CheckpointConfiguration) throws(TextModelError) -> Self {
        var configuration = try Self(json, headDim: 128, context: 32_768)
        configuration.attention.headNormEpsilon = configuration.epsilon
        configuration.attention.inputBias = json.attention_bias ?? false
        configuration.attention.outputBias = json.attention_bias ?? false
        configuration.attention.windows = try qwenWindows(json, layers: configuration.shape.layers)
        return configuration
    }
}
