/// Mistral 7B (arXiv 2310.06825): Llama whose rows see only a window of the last positions, in every layer
/// (or those that `layer_types` names).
extension LlamaModel.Configuration {
    /// - Throws: `TextModelError` that names the field.
    static func mistral(_ json: CheckpointConfiguration) throws(TextModelError) -> Self {
        var configuration = try Self(json, context: 131_072)
        let window = try json.window(absent: 4_096)
        configuration.attention.windows = try json.windows(window, layers: configuration.shape.layers) { _ in true }
        return configuration
    }
}
