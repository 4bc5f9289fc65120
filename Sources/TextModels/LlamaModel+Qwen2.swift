/// Qwen 2 and 2.5 (arXiv 2407.10671, 2412.15115): Llama with biases on queries, keys and values, and, where
/// `use_sliding_window` says so, a window in the layers from `max_window_layers` on.
extension LlamaModel.Configuration {
    /// - Throws: `TextModelError` that names the field.
    static func qwen2(_ json: CheckpointConfiguration) throws(TextModelError) -> Self {
        var configuration = try Self(json, context: 32_768)
        configuration.attention.inputBias = true
        configuration.attention.windows = try qwenWindows(json, layers: configuration.shape.layers)
        return configuration
    }

    /// The windows of Qwen 2 and Qwen 3.
    static func qwenWindows(_ json: CheckpointConfiguration, layers: Int) throws(TextModelError) -> [Int] {
        let window = json.use_sliding_window == true ? try json.window(absent: 4_096) : nil
        let first = json.max_window_layers ?? 28
        return try json.windows(window, layers: layers) { $0 >= first }
    }
}
