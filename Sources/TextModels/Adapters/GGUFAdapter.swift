import GGUF
import Tensors

/// What llama.cpp's file of an adapter says of it besides its tensors.
enum GGUFAdapter {
    private static let keys: Set<String> = [
        "adapter.type", "adapter.lora.alpha", "adapter.lora.task_name", "adapter.lora.prompt_prefix",
    ]

    /// - Returns: the architecture, and what makes the configuration of the file's tensors: their ranks are their own.
    /// - Throws: `TextModelError` that names the file and the key.
    static func read(
        _ file: GGUFFile
    ) throws(TextModelError) -> (
        architecture: String, configuration: (AdapterTensors) throws(TextModelError) -> AdapterConfiguration
    ) {
        let metadata = file.header.metadata
        func text(_ key: String, _ only: String) throws(TextModelError) {
            guard let value = metadata[key]?.text, value == only else {
                throw TextModelError(
                    .unsupported, "\(file.path): \"\(key)\" is not \"\(only)\": the file holds no LoRA adapter")
            }
        }
        try text("general.type", "adapter")
        try text("adapter.type", "lora")
        guard let architecture = metadata["general.architecture"]?.text else {
            throw TextModelError(.invalidCheckpoint, "\(file.path) has no \"general.architecture\"")
        }
        // What begins an aLoRA or says how a prompt is built would be left out.
        if let unknown = metadata.keys.sorted().first(where: { !$0.hasPrefix("general.") && !keys.contains($0) }) {
            throw TextModelError(.unsupported, "\(file.path): \"\(unknown)\" is not supported of an adapter")
        }
        if let prefix = metadata["adapter.lora.prompt_prefix"]?.text, !prefix.isEmpty {
            throw TextModelError(.unsupported, "\(file.path): \"adapter.lora.prompt_prefix\" is not supported")
        }
        let alpha = metadata["adapter.lora.alpha"]?.number ?? 0
        return (
            architecture,
            { tensors throws(TextModelError) in try AdapterConfiguration(tensors, alpha: alpha) }
        )
    }
}
