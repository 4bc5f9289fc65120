package import Layers
package import Tensors

/// A Transformer that checkpoints hold: what it is called, and how its configuration is read. A value is one checkpoint's
/// configuration; it refuses by name what the architecture here does not compute.
///
/// <doc:AddingAnArchitecture> says how another one comes in: one file, and one row in ``Architectures/all``.
package protocol Architecture: Sendable {
    /// `model_type` of `config.json`.
    static var modelType: String { get }
    /// The language model's class in `architectures` of `config.json`.
    static var className: String { get }
    /// How llama.cpp's files of it are laid out; nil where it has none.
    static var gguf: GGUFLayout? { get }

    /// - Throws: `TextModelError` that names the file and the field.
    init(_ file: ConfigurationFile) throws(TextModelError)

    /// - Throws: `TextModelError` that names the file and the key.
    init(_ file: GGUFMetadata) throws(TextModelError)

    /// What decides about the memory of an engine.
    var extents: ModelExtents { get }

    /// Loads the weights.
    ///
    /// - Throws: `TensorError` that names the file and the tensor.
    func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel
}

extension Architecture {
    /// An architecture without ``gguf`` is not asked for; one that is refuses.
    package init(_ file: GGUFMetadata) throws(TextModelError) {
        throw TextModelError(.unsupported, "\(file.file.path): GGUF files of \"\(Self.modelType)\" are not read")
    }
}

/// The one table of architectures.
package enum Architectures {
    static let all: [any Architecture.Type] = [
        Llama.self,
        Mistral.self,
        Qwen2.self,
        Qwen3.self,
        Phi3.self,
        SmolLM3.self,
        Granite.self,
        Ministral3.self,
        Mistral3Conditional.self,
        Olmo2.self,
        Olmo3.self,
        Exaone4.self,
        GLM4.self,
        Mixtral.self,
        Qwen3MoE.self,
        GraniteMoE.self,
        OLMoE.self,
        GPTOSS.self,
        Gemma2.self,
        Gemma3.self,
        Gemma3Conditional.self,
        Gemma4.self,
        Gemma4Conditional.self,
        DeepSeekV2.self,
        DeepSeekV3.self,
        GLM4MoELite.self,
        LFM2.self,
        Qwen35.self,
        Qwen35Conditional.self,
        Qwen35MoE.self,
        Qwen35MoEConditional.self,
        GPT2.self,
    ]

    /// `model_type`s, sorted.
    package static var names: [String] { all.map { $0.modelType }.sorted() }

    /// Values of `general.architecture`, sorted.
    package static var ggufNames: [String] { all.compactMap { $0.gguf?.name }.sorted() }

    /// The architecture that a `config.json` names.
    ///
    /// - Throws: `TextModelError.unsupported` that names the file and what it says.
    static func named(in file: ConfigurationFile) throws(TextModelError) -> any Architecture.Type {
        var name = try file.text("model_type")
        if name == nil { name = try file.texts("architectures")?.first }
        guard let found = all.first(where: { $0.modelType == name || $0.className == name }) else {
            let name = name ?? "none"
            throw TextModelError(
                .unsupported,
                "\(file.path): model type \"\(name)\" is not supported; known: \(names.joined(separator: ", "))")
        }
        return found
    }

    /// The architecture that llama.cpp calls by that name.
    static func gguf(_ name: String) -> (any Architecture.Type)? { all.first { $0.gguf?.name == name } }

    /// The decoder that a GGUF file holds: its configuration, with nothing in the file left out, and its weights.
    ///
    /// - Throws: `TextModelError` that names the file and the key or the tensor at fault.
    static func read(gguf path: String) throws(TextModelError) -> (any Architecture, GGUFCheckpoint) {
        let file = try GGUFFile.opened(path), name = try file.architecture()
        guard let architecture = gguf(name), let layout = architecture.gguf else {
            throw TextModelError(
                .unsupported,
                "\(path): architecture \"\(name)\" is not supported; known: "
                    + (ggufNames + EncoderArchitectures.ggufNames).sorted().joined(separator: ", "))
        }
        let checkpoint = GGUFCheckpoint(file, layout)
        let configuration = try architecture.init(checkpoint.metadata)
        try checkpoint.refuseUnknown()
        return (configuration, checkpoint)
    }
}
