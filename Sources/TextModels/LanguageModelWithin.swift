import Layers
import Tensors

/// The language model within checkpoints of text and of pictures or sounds, which are not taken in: `text_config` of
/// `config.json` is its configuration.
protocol LanguageModelWithin: Architecture {
    associatedtype Text: Architecture

    var text: Text { get }

    init(text: Text)
}

extension LanguageModelWithin {
    static var gguf: GGUFLayout? { nil }

    init(_ file: ConfigurationFile) throws(TextModelError) {
        self.init(text: try Text(try file.textConfiguration()))
    }

    var extents: ModelExtents { text.extents }

    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel { try text.model(loader) }
}

extension ConfigurationFile {
    /// - Throws: `TextModelError.invalidCheckpoint` where there is none.
    func textConfiguration() throws(TextModelError) -> ConfigurationFile {
        guard let fields = try fields("text_config") else { throw refusal("text_config", "is missing") }
        return fields
    }
}
