import GGUF
import Layers
package import Tensors

extension TextClassifier {
    private static let suffix = "ForSequenceClassification"

    /// What a decoder's checkpoint classifies texts with: one matrix, `score.weight` `[labels, C]`, on the state of a text's
    /// last token; in a GGUF file `cls.output.weight`, of the rows for yes and for no. nil for a checkpoint of another class,
    /// and for one whose head takes the matrix's place (vLLM's `classifier_from_token`).
    ///
    /// - Parameter paddingID: what `config.json` says of padding, which transformers passes over at the end of a text.
    /// - Throws: `TextModelError` that names the file or the tensor at fault.
    package static func ofDecoder(
        directory: String, width: Int, on device: Device
    ) throws(TextModelError) -> (classifier: TextClassifier, paddingID: Int32?)? {
        do {
            if let file = try GGUFLocation.file(at: directory) {
                let classifier = try ofDecoder(gguf: file, width: width, on: device)
                return classifier.map { ($0, nil) }
            }
        } catch let error as GGUFError {
            throw TextModelError(.unsupported, error.message)
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot read \(directory)")
        }
        let file = try ConfigurationFile(path: directory + "/config.json")
        guard let name = try file.texts("architectures")?.first, name.hasSuffix(suffix) else { return nil }
        let source = try QuantizationConfiguration.source(file, directory: directory)
        if !source.contains("score.weight"), file.has("classifier_from_token") { return nil }
        let padding = try file.tokens("pad_token_id")?.first
        return (TextClassifier(pooling: .last, layers: try score(source, width: width, on: device)), padding)
    }

    private static func score(
        _ source: any WeightSource, width: Int, on device: Device
    ) throws(TextModelError) -> DenseLayers {
        do throws(TensorError) {
            let labels = source.shape(of: "score.weight")?.first ?? 1
            // A score is what the model is for: never rounded.
            let loader = WeightLoader(checkpoint: source, device: device, precision: .f32)
            var layers = DenseLayers()
            layers.append(
                .init(linear: try loader.linear("score", outputs: max(1, labels), inputs: width, bias: false)))
            return layers
        } catch {
            throw TextModelError(error)
        }
    }

    private static func ofDecoder(
        gguf path: String, width: Int, on device: Device
    ) throws(TextModelError) -> TextClassifier? {
        let (_, source) = try Architectures.read(gguf: path)
        let metadata = source.metadata
        let ranks = try metadata.integer("pooling_type") == 4
        guard ranks || source.contains("score.weight") else { return nil }
        guard ranks, source.contains("score.weight") else {
            throw metadata.refusal(
                "pooling_type",
                "is\(ranks ? "" : " not") 4, rank, and \"cls.output.weight\" is\(ranks ? " not" : "") there")
        }
        let labels = try metadata.texts("classifier.output_labels") ?? ["yes", "no"]
        guard let yes = labels.firstIndex(of: "yes"), let no = labels.firstIndex(of: "no"), labels.count == 2 else {
            throw metadata.refusal(
                "classifier.output_labels", "is \(labels); of a decoder, yes and no are supported", .unsupported)
        }
        let layers = try score(source, width: width, on: device)
        guard layers.width == 2 else {
            throw TextModelError(
                .invalidCheckpoint,
                "\(path): \"cls.output.weight\" has \(layers.width ?? 0) rows, not one for yes and one for no")
        }
        return TextClassifier(pooling: .last, layers: layers, verdict: (yes, no))
    }
}
