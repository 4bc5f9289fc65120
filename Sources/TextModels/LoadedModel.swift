import Foundation
package import Tensors
package import Tokenizers

/// A checkpoint directory, ready to generate: weights, tokenizer, and the tokens that end a text.
package struct LoadedModel: Sendable {
    package let model: any TextModel
    package let tokenizer: Tokenizer
    package let endTokens: Set<Int32>
    package let samplingDefaults: SamplingDefaults

    /// What `generation_config.json` says; nil where it is silent.
    package struct SamplingDefaults: Sendable, Hashable {
        package var temperature: Float?
        package var topK: Int?
        package var topP: Float?
        package var minP: Float?
        package var repetitionPenalty: Float?
    }

    /// - Throws: `TextModelError` or `TokenizerError` that names the file at fault.
    package init(directory: String, precision: Precision = .auto, on device: Device) throws {
        model = try Self.loadModel(directory: directory, precision: precision, on: device)
        tokenizer = try Tokenizer(directory: directory)
        endTokens = try Self.endTokens(directory: directory, tokenizer: tokenizer)
        samplingDefaults = try Self.samplingDefaults(directory + "/generation_config.json")
    }

    /// The weights alone.
    ///
    /// - Parameter recorder: is shown what is quantized on the way.
    /// - Throws: `TextModelError` that names the file, field or tensor at fault.
    package static func loadModel(
        directory: String, precision: Precision = .auto, recorder: QuantizedRecorder? = nil, on device: Device
    ) throws(TextModelError) -> any TextModel {
        let json = try CheckpointConfiguration.read(directory + "/config.json")
        let kind = json.model_type ?? json.architectures?.first ?? "none"
        if let method = json.quantization_config.map({ $0.quant_method ?? "none" }), method != "nephele" {
            throw TextModelError(
                .unsupported, "\(directory)/config.json: \"quantization_config\" of \"\(method)\" is not supported")
        }
        func loader() throws(TensorError) -> WeightLoader {
            WeightLoader(
                checkpoint: try Checkpoint(directory: directory), device: device, precision: precision,
                recorder: recorder)
        }
        do {
            let llama: LlamaModel.Configuration
            switch kind {
            case "llama", "LlamaForCausalLM": llama = try .llama(json)
            case "mistral", "MistralForCausalLM": llama = try .mistral(json)
            case "qwen2", "Qwen2ForCausalLM": llama = try .qwen2(json)
            case "qwen3", "Qwen3ForCausalLM": llama = try .qwen3(json)
            case "phi3", "Phi3ForCausalLM": llama = try .phi3(json)
            case "gemma2", "Gemma2ForCausalLM":
                return try Gemma2Model(Gemma2Model.Configuration(json), loader())
            case "gpt2", "GPT2LMHeadModel":
                return try GPT2Model(GPT2Model.Configuration(json), loader())
            default:
                throw TextModelError(
                    .unsupported,
                    "\(directory)/config.json: model type \"\(kind)\" is not supported; "
                        + "known: gemma2, gpt2, llama, mistral, phi3, qwen2, qwen3")
            }
            return try LlamaModel(llama, loader())
        } catch let error as TensorError {
            throw TextModelError(error)
        } catch let error as TextModelError {
            throw error
        } catch {
            throw TextModelError(.invalidCheckpoint, "cannot load \(directory)")
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
