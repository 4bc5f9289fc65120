internal import Foundation
import GGUF
package import Layers
package import Tensors
package import TextModels
package import Tokenizers

/// A checkpoint directory, ready to generate: weights, tokenizer, and the tokens that end a text.
package struct LoadedModel: Sendable {
    package let model: any TextModel
    package let tokenizer: Tokenizer
    package let endTokens: Set<Int32>
    /// Tokens that the model may not say, whatever their logits.
    package let suppressedTokens: Set<Int32>
    package let samplingDefaults: SamplingDefaults
    /// Why no text is generated, where a file that only generating needs is at fault; embeddings are given.
    package let generationFault: TextModelError?
    /// What is made of the states of a text.
    package let abilities: TextAbilities
    /// The weights' cache, whose `write` is still to be called where it is not warm.
    package let packedCache: PackedCache?

    /// What `generation_config.json` says; nil where it is silent.
    package struct SamplingDefaults: Sendable, Hashable {
        package var temperature: Float?
        package var topK: Int?
        package var topP: Float?
        package var minP: Float?
        package var repetitionPenalty: Float?

        package init(
            temperature: Float? = nil, topK: Int? = nil, topP: Float? = nil, minP: Float? = nil,
            repetitionPenalty: Float? = nil
        ) {
            (self.temperature, self.topK, self.topP, self.minP) = (temperature, topK, topP, minP)
            self.repetitionPenalty = repetitionPenalty
        }
    }

    /// A copy of `other` with another model in the place of its own.
    package init(_ other: LoadedModel, model: any TextModel) {
        self.model = model
        (tokenizer, endTokens, samplingDefaults) = (other.tokenizer, other.endTokens, other.samplingDefaults)
        (generationFault, abilities) = (other.generationFault, other.abilities)
        suppressedTokens = other.suppressedTokens
        packedCache = nil
    }

    /// A model in memory, which generates text.
    ///
    /// - Parameter directory: where its files would be.
    package init(_ model: any TextModel, _ tokenizer: Tokenizer, directory: String, on device: Device) {
        (self.model, self.tokenizer, packedCache, generationFault) = (model, tokenizer, nil, nil)
        endTokens = tokenizer.endOfTurnTokens.union([tokenizer.endOfText].compactMap { $0 })
        (suppressedTokens, samplingDefaults) = (tokenizer.suppressedTokens, SamplingDefaults())
        abilities = TextAbilities(
            directory: directory, width: model.shape.hidden, vocabulary: model.shape.vocabulary,
            tokenID: tokenizer.id(of:), on: device)
    }

    /// - Parameters:
    ///   - directory: holds a checkpoint as Hugging Face lays it out, or one GGUF file; or is such a file.
    ///   - layers: those that are loaded; nil for all.
    ///   - reranker: what the model is where its files do not say how it scores.
    ///   - cache: where packed weights are kept for the next process; nil for nowhere.
    /// - Throws: `TextModelError` or `TokenizerError` that names the file at fault.
    package init(
        directory: String, layers: Range<Int>? = nil, precision: Precision = .auto,
        activations: ActivationPrecision = .auto, reranker: Reranker? = nil, cache: CacheDirectory? = nil,
        on device: Device
    ) throws {
        packedCache = try cache.map { cache in
            let key = try NumericsID.packedKey(
                directory: directory, layers: layers, precision: precision, cache: cache)
            return PackedCache(cache, key: key, on: device)
        }
        model = try TextModelLoader.load(
            directory: directory, layers: layers, precision: precision, activations: activations,
            cache: packedCache, on: device)
        tokenizer = try Tokenizer(directory: directory)
        // The part with the first layer has what stands behind the last one.
        let own =
            model.layers.lowerBound == 0
            ? try TextClassifier.ofDecoder(directory: directory, width: model.shape.hidden, on: device) : nil
        if let own, let padding = own.paddingID, tokenizer.encode("", addSpecialTokens: true).last == padding {
            throw TextModelError(
                .unsupported,
                "\(directory): the tokenizer ends a text with the token for padding, \(padding), which a classifier passes over"
            )
        }
        var fault = own != nil ? Self.classifies(directory) : model.hasHead ? nil : Self.noHead(directory)
        var ends = tokenizer.endOfTurnTokens.union([tokenizer.endOfText].compactMap { $0 })
        var suppressed = tokenizer.suppressedTokens
        var defaults = SamplingDefaults()
        // Beside a GGUF file it may stand too; the tokens that end a text there are the file's in any case.
        let isGGUF = try GGUFLocation.file(at: directory) != nil
        if !isGGUF || FileManager.default.fileExists(atPath: directory + "/generation_config.json") {
            do throws(TextModelError) {
                let generation = try GenerationConfiguration(directory: directory, tokenizer: tokenizer)
                ends = isGGUF ? ends.union(generation.endTokens) : generation.endTokens
                suppressed.formUnion(generation.suppressedTokens)
                defaults = generation.defaults
            } catch {
                fault = fault ?? TextModelError(.unsupported, error.message)
            }
        }
        (endTokens, samplingDefaults, generationFault) = (ends, defaults, fault)
        suppressedTokens = suppressed
        abilities = TextAbilities(
            directory: directory, width: model.shape.hidden, classifier: own?.classifier,
            vocabulary: model.hasHead ? model.shape.vocabulary : nil, reranker: reranker,
            tokenID: tokenizer.id(of:), on: device)
    }

    private static func classifies(_ directory: String) -> TextModelError {
        TextModelError(.unsupported, "the model in \(directory) classifies: it gives scores, and no text")
    }

    private static func noHead(_ directory: String) -> TextModelError {
        TextModelError(
            .unsupported,
            "the checkpoint in \(directory) has no \"lm_head.weight\" and its embeddings are not tied: it gives embeddings, "
                + "and no text")
    }
}
