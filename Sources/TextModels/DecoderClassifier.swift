import GGUF
import Layers
package import Tensors

extension TextClassifier {
    private static let suffix = "ForSequenceClassification"

    /// What a decoder's checkpoint classifies texts with: one matrix, `score.weight` `[labels, C]`, on the state of a text's
    /// last token. nil for a checkpoint of another class.
    ///
    /// - Parameter paddingID: what `config.json` says of padding, which transformers passes over at the end of a text.
    /// - Throws: `TextModelError` that names the file or the tensor at fault.
    package static func ofDecoder(
        directory: String, width: Int, on device: Device
    ) throws(TextModelError) -> (classifier: TextClassifier, paddingID: Int32?)? {
        do {
            if try GGUFLocation.file(at: directory) != nil { return nil }
        } catch {
            throw TextModelError(.unsupported, error.message)
        }
        let file = try ConfigurationFile(path: directory + "/config.json")
        guard let name = try file.texts("architectures")?.first, name.hasSuffix(suffix) else { return nil }
        let source = try QuantizationConfiguration.source(file, directory: directory)
        let padding = try file.tokens("pad_token_id")?.first
        do throws(TensorError) {
            let labels = source.shape(of: "score.weight")?.first ?? 1
            // A score is what the model is for: never rounded.
            let loader = WeightLoader(checkpoint: source, device: device, precision: .f32)
            var layers = DenseLayers()
            layers.append(
                .init(linear: try loader.linear("score", outputs: max(1, labels), inputs: width, bias: false)))
            return (TextClassifier(pooling: .last, layers: layers), padding)
        } catch {
            throw TextModelError(error)
        }
    }
}
