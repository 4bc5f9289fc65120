import GGUF
package import Layers
package import Tensors
package import TextModels
package import Tokenizers

/// An encoder's checkpoint directory, ready to embed or to score: weights, tokenizer, and what its files say of both.
package struct LoadedEncoder: Sendable {
    package let encoder: any TextEncoder
    package let tokenizer: Tokenizer
    package let abilities: TextAbilities
    /// The encoder's, with the context that the files allow.
    package let shape: DecoderShape
    /// The weights' cache, whose `write` is still to be called where it is not warm.
    package let packedCache: PackedCache?

    /// - Throws: `TextModelError` or `TokenizerError` that names the file at fault.
    package init(
        directory: String, precision: Precision = .auto, cache: CacheDirectory? = nil, on device: Device
    ) throws {
        packedCache = try cache.map { cache in
            let key = try NumericsID.packedKey(directory: directory, layers: nil, precision: precision, cache: cache)
            return PackedCache(cache, key: key, on: device)
        }
        encoder = try TextEncoderLoader.load(
            directory: directory, precision: precision, cache: packedCache, on: device)
        tokenizer = try Tokenizer(directory: directory)
        abilities = TextAbilities(
            directory: directory, width: encoder.shape.hidden, classifier: encoder.classifier,
            tokenID: tokenizer.id(of:), on: device)
        var shape = encoder.shape
        shape.context = min(shape.context, abilities.files.lengthLimit ?? shape.context)
        self.shape = shape
    }

    /// Why no text is generated.
    package static let generationFault = TextModelError(
        .unsupported, "this model is an encoder: it makes embeddings or scores of texts, and writes none")
}

/// What a checkpoint directory holds, ready to be served.
package enum LoadedText: Sendable {
    case decoder(LoadedModel)
    case encoder(LoadedEncoder)

    /// - Parameters:
    ///   - layers: those of a decoder that are loaded; nil for all.
    ///   - reranker: what a decoder is where its files do not say how it scores.
    /// - Throws: `TextModelError` or `TokenizerError` that names the file at fault.
    package init(
        directory: String, layers: Range<Int>? = nil, precision: Precision = .auto,
        activations: ActivationPrecision = .auto, reranker: Reranker? = nil, cache: CacheDirectory? = nil,
        on device: Device
    ) throws {
        self = try GGUFHeaders.kept {
            try Self.loaded(
                directory, layers: layers, precision, activations, reranker: reranker, cache: cache, on: device)
        }
    }

    private static func loaded(
        _ directory: String, layers: Range<Int>?, _ precision: Precision, _ activations: ActivationPrecision,
        reranker: Reranker?, cache: CacheDirectory?, on device: Device
    ) throws -> LoadedText {
        guard try TextEncoderLoader.isEncoder(directory: directory) else {
            return .decoder(
                try LoadedModel(
                    directory: directory, layers: layers, precision: precision, activations: activations,
                    reranker: reranker, cache: cache, on: device))
        }
        guard layers == nil else {
            throw TextModelError(.unsupported, "\(directory) holds an encoder, which is not cut into shards")
        }
        if let reranker {
            throw TextModelError(
                .unsupported, "\(directory) holds an encoder, which is no \(reranker.rawValue) reranker")
        }
        return .encoder(try LoadedEncoder(directory: directory, precision: precision, cache: cache, on: device))
    }

    package var tokenizer: Tokenizer {
        switch self {
        case .decoder(let loaded): loaded.tokenizer
        case .encoder(let loaded): loaded.tokenizer
        }
    }

    package var packedCache: PackedCache? {
        switch self {
        case .decoder(let loaded): loaded.packedCache
        case .encoder(let loaded): loaded.packedCache
        }
    }

    package var abilities: TextAbilities {
        switch self {
        case .decoder(let loaded): loaded.abilities
        case .encoder(let loaded): loaded.abilities
        }
    }

    package var generationFault: TextModelError? {
        switch self {
        case .decoder(let loaded): loaded.generationFault
        case .encoder: LoadedEncoder.generationFault
        }
    }

    /// What keys, values and states of an engine may take, in bytes; an encoder keeps none.
    package func cacheSize(_ options: EngineCore.Options) -> Int {
        switch self {
        case .decoder(let loaded):
            loaded.model.cacheSize(
                positions: options.cachePositions, precision: options.cachePrecision, states: options.states)
        case .encoder: 0
        }
    }
}
