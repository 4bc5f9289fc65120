package import Layers
package import Tensors

/// The parts of a decoder, for whoever goes through them in another way than to serve: with gradients.
package struct DecoderParts: Sendable {
    package struct Layer: Sendable {
        package let attentionNorms: BlockNorms
        package let attention: PagedAttention
        package let feedForwardNorms: BlockNorms
        package let feedForward: GatedFeedForward
    }

    package let shape: DecoderShape
    package let embedding: TokenEmbedding
    /// What embeddings, and logits, are multiplied by.
    package let embeddingScale: Float
    package let logitScale: Float
    package let layers: [Layer]
    package let norm: RMSNorm
    package let head: PackedMatrix  // [V, C]
    /// What adapters can change.
    package let linearModules: [LinearModule]
}

extension DecoderParts {
    /// - Throws: `TextModelError.unsupported` that names what the model has beyond grouped attention and gated
    ///   feed-forward.
    package init(_ model: any TextModel) throws(TextModelError) {
        func refusal(_ what: String) -> TextModelError {
            TextModelError(
                .unsupported,
                "the model has \(what), whose gradients are not computed; models of the form of Llama are trained")
        }
        guard let decoder = model as? Decoder else { throw refusal("another form (of GPT-2)") }
        guard decoder.layers == 0..<decoder.shape.layers else { throw refusal("only some of its layers here") }
        guard let embedding = decoder.tokenEmbedding, let head = embedding.head else { throw refusal("no head") }
        guard decoder.layerEmbedding == nil else { throw refusal("embeddings of its own for each layer") }
        guard decoder.scales.logitCap == nil else { throw refusal("a cap on its logits") }
        layers = try decoder.blocks.map { block throws(TextModelError) in
            guard case .attention(let attention) = block.mixer else {
                throw refusal("layers without grouped attention")
            }
            guard case .gated(let feedForward) = block.feedForward else { throw refusal("experts") }
            let configuration = attention.configuration
            let unknown: [(isThere: Bool, name: String)] = [
                (attention.key == nil || attention.value == nil, "layers without keys and values of their own"),
                (attention.valueNorm != nil, "a norm of values"), (attention.sinks != nil, "attention sinks"),
                (configuration.softCap != 0, "a cap on attention's scores"),
                (configuration.isGated, "gated attention"), (block.scale != 1, "layers with scales"),
            ]
            if let found = unknown.first(where: \.isThere) { throw refusal(found.name) }
            return Layer(
                attentionNorms: block.mixerNorms, attention: attention, feedForwardNorms: block.feedForwardNorms,
                feedForward: feedForward)
        }
        (shape, self.embedding, self.head) = (decoder.shape, embedding, head)
        (embeddingScale, logitScale) = (decoder.scales.embedding, decoder.scales.logits)
        (norm, linearModules) = (decoder.outside.norm, decoder.linearModules)
    }
}
