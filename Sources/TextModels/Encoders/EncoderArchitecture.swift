import GGUF
package import Layers
package import Tensors

/// An encoder that checkpoints hold: what it is called, and how its configuration is read. A value is one checkpoint's
/// configuration; it refuses by name what the encoder here does not compute.
package protocol EncoderArchitecture: Sendable {
    /// `model_type` of `config.json`.
    static var modelTypes: [String] { get }
    /// What the classes in `architectures` begin with: `Bert` of `BertModel`.
    static var classPrefixes: [String] { get }
    /// How llama.cpp's files of it are laid out; nil where it has none.
    static var gguf: GGUFLayout? { get }

    /// - Throws: `TextModelError` that names the file and the field.
    init(_ file: ConfigurationFile) throws(TextModelError)

    /// - Throws: `TextModelError` that names the file and the key.
    init(_ file: GGUFMetadata) throws(TextModelError)

    /// Loads the weights.
    ///
    /// - Parameter hasClassifier: whether the checkpoint's class is one that classifies texts.
    /// - Throws: `TensorError` that names the file and the tensor.
    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder
}

extension EncoderArchitecture {
    package static var gguf: GGUFLayout? { nil }

    /// An encoder without ``gguf`` is not asked for; one that is refuses.
    package init(_ file: GGUFMetadata) throws(TextModelError) {
        throw TextModelError(.unsupported, "\(file.file.path): GGUF files of \"\(Self.modelTypes[0])\" are not read")
    }
}

/// The one table of encoders.
package enum EncoderArchitectures {
    static let all: [any EncoderArchitecture.Type] = [
        Bert.self, Roberta.self, DistilBert.self, MPNet.self, NomicBert.self, ModernBert.self,
    ]

    /// `model_type`s, sorted.
    package static var names: [String] { all.flatMap { $0.modelTypes }.sorted() }

    /// Values of `general.architecture`, sorted.
    package static var ggufNames: [String] { all.compactMap { $0.gguf?.name }.sorted() }

    /// The encoder that llama.cpp calls by that name.
    static func gguf(_ name: String) -> (any EncoderArchitecture.Type)? { all.first { $0.gguf?.name == name } }

    /// What follows the prefix in a class that computes nothing but states, or whose head is not needed for them.
    private static let trunks = ["Model", "ForMaskedLM", "ForPreTraining"]
    private static let classifier = "ForSequenceClassification"

    /// The encoder that a `config.json` names, and whether it classifies; nil where it names none.
    ///
    /// - Throws: `TextModelError.unsupported` for a class that does something else with the encoder.
    static func named(
        in file: ConfigurationFile
    ) throws(TextModelError) -> (architecture: any EncoderArchitecture.Type, hasClassifier: Bool)? {
        let classes = try file.texts("architectures") ?? []
        let name = classes.first
        var found: (any EncoderArchitecture.Type)?
        if let type = try file.text("model_type") {
            found = all.first { $0.modelTypes.contains(type) }
        } else if let name {
            found = all.first { $0.classPrefixes.contains { name.hasPrefix($0) } }
        }
        guard let found else { return nil }
        guard let name else { return (found, false) }
        guard let prefix = found.classPrefixes.first(where: { name.hasPrefix($0) }),
            case let kind = String(name.dropFirst(prefix.count)), trunks.contains(kind) || kind == classifier
        else {
            throw file.refusal(
                "architectures",
                "is \"\(name)\"; of this model type \((trunks + [classifier]).joined(separator: ", ")) are supported",
                .unsupported)
        }
        return (found, kind == classifier)
    }
}

/// Loads a checkpoint's weights as the encoder that its files name.
package enum TextEncoderLoader {
    /// Whether a directory holds an encoder's checkpoint, or its GGUF file.
    ///
    /// - Throws: `TextModelError` that names the file and the field at fault.
    package static func isEncoder(directory: String) throws(TextModelError) -> Bool {
        if let file = try gguf(at: directory) {
            return EncoderArchitectures.gguf(try GGUFFile.opened(file).architecture()) != nil
        }
        return try EncoderArchitectures.named(in: ConfigurationFile(path: directory + "/config.json")) != nil
    }

    private static func gguf(at directory: String) throws(TextModelError) -> String? {
        do { return try GGUFLocation.file(at: directory) } catch { throw TextModelError(.unsupported, error.message) }
    }

    /// - Parameters:
    ///   - directory: holds a checkpoint as Hugging Face lays it out, or one GGUF file; or is such a file.
    ///   - cache: where packed weights are read from, and kept for the next process; nil for nowhere.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package static func load(
        directory: String, precision: Precision = .auto, cache: PackedCache? = nil, on device: Device
    ) throws(TextModelError) -> any TextEncoder {
        let (configuration, hasClassifier, source) = try open(directory)
        do throws(TensorError) {
            let loader = WeightLoader(checkpoint: source, device: device, precision: precision, cache: cache)
            return try configuration.encoder(loader, hasClassifier: hasClassifier)
        } catch {
            throw TextModelError(error)
        }
    }

    private static func open(
        _ directory: String
    ) throws(TextModelError) -> (any EncoderArchitecture, hasClassifier: Bool, any WeightSource) {
        if let path = try gguf(at: directory) { return try read(gguf: path) }
        let file = try ConfigurationFile(path: directory + "/config.json")
        guard let (architecture, hasClassifier) = try EncoderArchitectures.named(in: file) else {
            throw TextModelError(
                .unsupported,
                "\(file.path) names no encoder; known: \(EncoderArchitectures.names.joined(separator: ", "))")
        }
        for field in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] { try file.refuse(field) }
        let configuration = try architecture.init(file)
        return (configuration, hasClassifier, try QuantizationConfiguration.source(file, directory: directory))
    }

    private static func read(
        gguf path: String
    ) throws(TextModelError) -> (any EncoderArchitecture, hasClassifier: Bool, any WeightSource) {
        let file = try GGUFFile.opened(path), name = try file.architecture()
        guard let architecture = EncoderArchitectures.gguf(name), let layout = architecture.gguf else {
            throw TextModelError(.unsupported, "\(path): architecture \"\(name)\" is no encoder")
        }
        let checkpoint = GGUFCheckpoint(file, layout), metadata = checkpoint.metadata
        if metadata.flag("attention.causal") == true {
            throw metadata.refusal("attention.causal", "is true, but the encoder sees all of its text", .unsupported)
        }
        let configuration = try architecture.init(metadata)
        try checkpoint.refuseUnknown()
        let ranks = try metadata.integer("pooling_type") == 4, labels = metadata.hasTensor("cls.output.weight")
        guard ranks == labels else {
            throw metadata.refusal(
                "pooling_type",
                ranks
                    ? "is 4, rank, but there is no \"cls.output.weight\""
                    : "is not 4, rank, but there is \"cls.output.weight\"",
                .unsupported)
        }
        return (configuration, labels, checkpoint)
    }
}

extension GGUFLayout {
    /// An encoder's, whose embeddings and classifiers llama.cpp gives these names.
    ///
    /// - Parameters:
    ///   - globals: the stems of further tensors outside of the layers, by Hugging Face's.
    ///   - layers: the stems of tensors in a layer, by Hugging Face's.
    static func encoder(
        _ name: String, layers prefix: String, globals: [String: String], layers: [String: String],
        keys: Set<String> = []
    ) -> GGUFLayout {
        var layout = GGUFLayout(name: name)
        (layout.layerPrefix, layout.globals, layout.layers) = (prefix, globals, layers)
        layout.keys = keys.union([
            "attention.causal", "classifier.output_labels", "classifier.pooling_type", "hidden_activation",
        ])
        return layout
    }
}
