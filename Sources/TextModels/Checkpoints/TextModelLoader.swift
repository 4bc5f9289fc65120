import GGUF
package import Layers
package import Tensors

/// Loads a checkpoint's weights as the model that its files name.
package enum TextModelLoader {
    /// - Parameters:
    ///   - directory: holds a checkpoint as Hugging Face lays it out, or one GGUF file; or is such a file.
    ///   - layers: those that are loaded; nil for all.
    ///   - recorder: is shown what is quantized on the way.
    ///   - cache: where packed weights are read from, and kept for the next process; nil for nowhere.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package static func load(
        directory: String, layers: Range<Int>? = nil, precision: Precision = .auto,
        activations: ActivationPrecision = .auto, recorder: QuantizedRecorder? = nil, cache: PackedCache? = nil,
        on device: Device
    ) throws(TextModelError) -> any TextModel {
        let (configuration, source) = try open(directory)
        let checkpoint = try source()
        do {
            let loader = WeightLoader(
                checkpoint: checkpoint, device: device, precision: precision, activations: activations,
                recorder: recorder, cache: cache, layers: layers)
            return try configuration.model(loader)
        } catch {
            throw TextModelError(error)
        }
    }

    /// What decides about the memory of an engine; nil for an encoder, which keeps nothing.
    ///
    /// - Throws: `TextModelError` that names the file and the field at fault.
    package static func extents(directory: String) throws(TextModelError) -> ModelExtents? {
        if try TextEncoderLoader.isEncoder(directory: directory) { return nil }
        return try open(directory).0.extents
    }

    /// What the checkpoint is, and what opens its weights.
    private static func open(
        _ directory: String
    ) throws(TextModelError) -> (any Architecture, source: () throws(TextModelError) -> any WeightSource) {
        let gguf: String?
        do { gguf = try GGUFLocation.file(at: directory) } catch {
            throw TextModelError(.unsupported, error.message)
        }
        if let gguf {
            let (configuration, checkpoint) = try Architectures.read(gguf: gguf)
            return (configuration, { checkpoint })
        }
        let file = try ConfigurationFile(path: directory + "/config.json")
        try refuseUnsupported(file)
        let configuration = try Architectures.named(in: file).init(file)
        return (
            configuration,
            { () throws(TextModelError) in try QuantizationConfiguration.source(file, directory: directory) }
        )
    }

    /// What no architecture here computes, whatever its own fields say.
    private static func refuseUnsupported(_ file: ConfigurationFile) throws(TextModelError) {
        if try file.bool("is_causal") == false {
            throw file.refusal(
                "is_causal", "is false: attention in both directions is not supported", .unsupported)
        }
        try file.refuse("is_encoder_decoder")
    }
}
