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

    /// - Throws: `TextModelError` that names the file and the field.
    init(_ file: ConfigurationFile) throws(TextModelError)

    /// Loads the weights.
    ///
    /// - Parameter hasClassifier: whether the checkpoint's class is one that classifies texts.
    /// - Throws: `TensorError` that names the file and the tensor.
    func encoder(_ loader: WeightLoader, hasClassifier: Bool) throws(TensorError) -> any TextEncoder
}

/// The one table of encoders.
package enum EncoderArchitectures {
    static let all: [any EncoderArchitecture.Type] = [
        Bert.self, Roberta.self, DistilBert.self, MPNet.self, NomicBert.self, ModernBert.self,
    ]

    /// `model_type`s, sorted.
    package static var names: [String] { all.flatMap { $0.modelTypes }.sorted() }

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
    /// Whether a directory holds an encoder's checkpoint.
    ///
    /// - Throws: `TextModelError` that names the file and the field at fault.
    package static func isEncoder(directory: String) throws(TextModelError) -> Bool {
        do { guard try GGUFLocation.file(at: directory) == nil else { return false } } catch {
            throw TextModelError(.unsupported, error.message)
        }
        return try EncoderArchitectures.named(in: ConfigurationFile(path: directory + "/config.json")) != nil
    }

    /// - Parameters:
    ///   - directory: holds a checkpoint as Hugging Face lays it out.
    ///   - cache: where packed weights are read from, and kept for the next process; nil for nowhere.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package static func load(
        directory: String, precision: Precision = .auto, cache: PackedCache? = nil, on device: Device
    ) throws(TextModelError) -> any TextEncoder {
        let file = try ConfigurationFile(path: directory + "/config.json")
        guard let (architecture, hasClassifier) = try EncoderArchitectures.named(in: file) else {
            throw TextModelError(
                .unsupported,
                "\(file.path) names no encoder; known: \(EncoderArchitectures.names.joined(separator: ", "))")
        }
        for field in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] { try file.refuse(field) }
        let configuration = try architecture.init(file)
        let checkpoint = try QuantizationConfiguration.source(file, directory: directory)
        do throws(TensorError) {
            let loader = WeightLoader(
                checkpoint: checkpoint, device: device, precision: precision, cache: cache)
            return try configuration.encoder(loader, hasClassifier: hasClassifier)
        } catch {
            throw TextModelError(error)
        }
    }
}
