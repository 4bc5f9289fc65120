import Foundation
import GGUF
package import Tensors
package import Tokenizers

/// A checkpoint directory, ready to generate: weights, tokenizer, and the tokens that end a text.
package struct LoadedModel: Sendable {
    package let model: any TextModel
    package let tokenizer: Tokenizer
    package let endTokens: Set<Int32>
    package let samplingDefaults: SamplingDefaults
    /// Why no text is generated, where a file that only generating needs is at fault; embeddings are given.
    package let generationFault: TextModelError?
    /// Why no embeddings are given, where the files want them made otherwise than here.
    package let embeddingFault: TextModelError?
    /// The weights' cache, whose `write` is still to be called where it is not warm.
    package let packedCache: PackedCache?

    /// What `generation_config.json` says; nil where it is silent.
    package struct SamplingDefaults: Sendable, Hashable {
        package var temperature: Float?
        package var topK: Int?
        package var topP: Float?
        package var minP: Float?
        package var repetitionPenalty: Float?
    }

    /// What `other` has, with another model in the place of its own.
    package init(_ other: LoadedModel, model: any TextModel) {
        self.model = model
        (tokenizer, endTokens, samplingDefaults) = (other.tokenizer, other.endTokens, other.samplingDefaults)
        (generationFault, embeddingFault) = (other.generationFault, other.embeddingFault)
        packedCache = nil
    }

    /// - Parameters:
    ///   - directory: holds a checkpoint as Hugging Face lays it out, or one GGUF file; or is such a file.
    ///   - layers: those that are loaded; nil for all.
    ///   - cache: where packed weights are kept for the next process; nil for nowhere.
    /// - Throws: `TextModelError` or `TokenizerError` that names the file at fault.
    package init(
        directory: String, layers: Range<Int>? = nil, precision: Precision = .auto, cache: CacheDirectory? = nil,
        on device: Device
    ) throws {
        packedCache = try cache.map { cache in
            let key = try NumericsID.packedKey(
                directory: directory, layers: layers, precision: precision, cache: cache)
            return PackedCache(cache, key: key, on: device)
        }
        model = try Self.loadModel(
            directory: directory, layers: layers, precision: precision, cache: packedCache, on: device)
        tokenizer = try Tokenizer(directory: directory)
        var fault = model.hasHead ? nil : Self.noHead(directory)
        var ends = tokenizer.endOfTurnTokens.union([tokenizer.endOfText].compactMap { $0 })
        var defaults = SamplingDefaults()
        if try GGUFLocation.file(at: directory) == nil {
            do throws(TextModelError) {
                ends = try Self.endTokens(directory: directory, tokenizer: tokenizer)
                defaults = try Self.samplingDefaults(directory + "/generation_config.json")
                try GenerationFields.refuse(directory + "/generation_config.json")
            } catch {
                fault = fault ?? TextModelError(.unsupported, error.message)
            }
        }
        (endTokens, samplingDefaults, generationFault) = (ends, defaults, fault)
        embeddingFault = Pooling.fault(directory: directory)
    }

    private static func noHead(_ directory: String) -> TextModelError {
        TextModelError(
            .unsupported,
            "the checkpoint in \(directory) has no \"lm_head.weight\" and its embeddings are not tied: it gives embeddings, "
                + "and no text")
    }

    /// The weights alone.
    ///
    /// - Parameters:
    ///   - layers: those that are loaded; nil for all.
    ///   - recorder: is shown what is quantized on the way.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package static func loadModel(
        directory: String, layers: Range<Int>? = nil, precision: Precision = .auto, recorder: QuantizedRecorder? = nil,
        cache: PackedCache? = nil, on device: Device
    ) throws(TextModelError) -> any TextModel {
        let gguf: String?
        do { gguf = try GGUFLocation.file(at: directory) } catch {
            throw TextModelError(.unsupported, error.message)
        }
        let source = gguf ?? directory + "/config.json"
        do {
            if let gguf {
                let checkpoint = try GGUFCheckpoint(path: gguf)
                return try model(try checkpoint.configuration(), source) {
                    WeightLoader(
                        checkpoint: checkpoint, device: device, precision: precision, recorder: recorder, cache: cache,
                        layers: layers)
                }
            }
            let json = try CheckpointConfiguration.read(source)
            if let method = json.quantization_config.map({ $0.quant_method ?? "none" }), method != "nephele" {
                throw TextModelError(
                    .unsupported, "\(source): \"quantization_config\" of \"\(method)\" is not supported")
            }
            return try model(json, source) { () throws(TensorError) in
                WeightLoader(
                    checkpoint: try Checkpoint(directory: directory), device: device, precision: precision,
                    recorder: recorder, cache: cache, layers: layers)
            }
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch var error as TextModelError {
            // A GGUF file's metadata are checked as a config.json's fields.
            if gguf != nil { error.message.replace("config.json:", with: "\(source), read as a config.json:") }
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot load \(directory)")
        }
    }

    /// - Parameter source: the file that says what the model is.
    private static func model(
        _ json: CheckpointConfiguration, _ source: String, loader: () throws(TensorError) -> WeightLoader
    ) throws -> any TextModel {
        try json.refuseUnsupported()
        let kind = json.model_type ?? json.architectures?.first ?? "none"
        switch kind {
        case "llama", "LlamaForCausalLM": return try LlamaModel(.llama(json), loader())
        case "mistral", "MistralForCausalLM": return try LlamaModel(.mistral(json), loader())
        case "qwen2", "Qwen2ForCausalLM": return try LlamaModel(.qwen2(json), loader())
        case "qwen3", "Qwen3ForCausalLM": return try LlamaModel(.qwen3(json), loader())
        case "phi3", "Phi3ForCausalLM": return try LlamaModel(.phi3(json), loader())
        case "gemma2", "Gemma2ForCausalLM": return try Gemma2Model(Gemma2Model.Configuration(json), loader())
        case "gpt2", "GPT2LMHeadModel": return try GPT2Model(GPT2Model.Configuration(json), loader())
        default:
            throw TextModelError(
                .unsupported,
                "\(source): model type \"\(kind)\" is not supported; "
                    + "known: gemma2, gpt2, llama, mistral, phi3, qwen2, qwen3")
        }
    }

    private static func samplingDefaults(_ path: String) throws(TextModelError) -> SamplingDefaults {
        guard FileManager.default.fileExists(atPath: path) else { return SamplingDefaults() }
        let read = try CheckpointConfiguration.read(path)
        let defaults = SamplingDefaults(
            temperature: read.temperature, topK: read.top_k, topP: read.top_p, minP: read.min_p,
            repetitionPenalty: read.repetition_penalty)
        do {
            // What a request may not ask for, a checkpoint may not either.
            _ = try SamplingParameters(
                temperature: defaults.temperature ?? 1, topK: defaults.topK ?? 0, topP: defaults.topP ?? 1,
                minP: defaults.minP ?? 0, repetitionPenalty: defaults.repetitionPenalty ?? 1, seed: 0)
        } catch {
            throw TextModelError(.invalidCheckpoint, "\(path): \(error.message)")
        }
        return defaults
    }

    /// What `generation_config.json`, else `config.json`, else the tokenizer calls the end of a text.
    private static func endTokens(directory: String, tokenizer: Tokenizer) throws(TextModelError) -> Set<Int32> {
        for name in ["generation_config.json", "config.json"] {
            let path = directory + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { continue }
            if let ids = try CheckpointConfiguration.read(path).eos_token_id?.ids { return Set(ids) }
        }
        return Set([tokenizer.endOfText].compactMap { $0 })
    }
}
