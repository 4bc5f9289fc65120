/// Phi-3 and Phi-4 (arXiv 2404.14219, 2412.08905): Llama whose file joins queries, keys and values in one matrix, gate
/// and up in another; with a window where the file has one, and LongRoPE (arXiv 2402.13753) or a partial rotation.
extension LlamaModel.Configuration {
    /// - Throws: `TextModelError` that names the field.
    static func phi3(_ json: CheckpointConfiguration) throws(TextModelError) -> Self {
        var configuration = try Self(json, context: 4_096, epsilon: 1e-5, partialRotary: true)
        configuration.attention.isJoint = true
        configuration.feedForward.isJoint = true
        let window = try json.window(absent: nil)
        configuration.attention.windows = try json.windows(window, layers: configuration.shape.layers) { _ in true }
        return configuration
    }
}
