import Layers
import Tensors

/// An architecture of the form that ``Decoder`` has.
protocol DecoderArchitecture: Architecture {
    var configuration: Decoder.Configuration { get }
}

extension DecoderArchitecture {
    package func model(_ loader: WeightLoader) throws(TensorError) -> any TextModel {
        try Decoder(configuration, loader)
    }
}

extension Decoder {
    /// What an architecture of this form is; Llama's by default.
    struct Configuration: Sendable {
        /// How the queries and keys of a layer are turned.
        enum Rotation: Sendable, Hashable {
            case full
            /// As layers with a window are, where that is another way.
            case windowed
            case none
        }

        /// What a block's norms are called.
        struct Norms: Sendable {
            var attention: BlockNorms.Names
            var feedForward: BlockNorms.Names

            /// Before each block.
            static let before = Norms(
                attention: .init(before: "input_layernorm"), feedForward: .init(before: "post_attention_layernorm"))
            /// After each block.
            static let after = Norms(
                attention: .init(after: "post_attention_layernorm"),
                feedForward: .init(after: "post_feedforward_layernorm"))
            /// Before and after each block.
            static let around = Norms(
                attention: .init(before: "input_layernorm", after: "post_attention_layernorm"),
                feedForward: .init(before: "pre_feedforward_layernorm", after: "post_feedforward_layernorm"))
        }

        struct Scales: Sendable {
            /// What embeddings, and the results of blocks, are multiplied by.
            var embedding: Float = 1
            var residual: Float = 1
            /// What logits are multiplied by.
            var logits: Float = 1
            /// Logits z become cap · tanh(z / cap); nil for none.
            var logitCap: Float?
        }

        var shape: DecoderShape
        var attention: PagedAttention.Configuration
        /// What all layers have in its place, where they attend to latent rows.
        var latent: LatentAttention.Configuration?
        /// That of layers without a window, where it is another one.
        var fullAttention: PagedAttention.Configuration?
        /// Layers that read the keys and values of another, by that other's number.
        var writers: [Int: Int] = [:]
        var rotary: RotaryFrequencies
        /// The rotation of layers with a window, where it is another one.
        var windowedRotary: RotaryFrequencies?
        /// Layers whose queries and keys are not turned.
        var unrotatedLayers: Set<Int> = []
        /// Whether elements 2i and 2i + 1 of a head are turned together, in the place of i and i + D/2.
        var isRotaryInterleaved = false
        /// What queries at a position are multiplied by besides.
        var queryScale: (@Sendable (Int) -> Float)?
        var feedForward: GatedFeedForward.Configuration
        /// Layers with another F.
        var feedForwardWidths: [Int: Int] = [:]
        /// The experts in the place of the feed-forward, and what the file calls them.
        var experts: (MixtureOfExperts.Configuration, name: String)?
        /// Whether experts stand beside the feed-forward rather than in its place, each with norms of its own (Gemma 4).
        var hasParallelExperts = false
        /// Layers without experts.
        var denseLayers: Set<Int> = []
        /// What some layers have in the place of attention, and which.
        var recurrence: SequenceMixer.Recurrence?
        var recurrentLayers: Set<Int> = []
        var norms = Norms.before
        /// The width of what each layer is given of the token besides; 0 for nothing.
        var layerInputWidth = 0
        /// Whether each layer's result is multiplied by a number of its own.
        var hasLayerScales = false
        /// What the architecture's files call parts, by Llama's names for them.
        var names: [String: String] = [:]
        /// Whether a file of Hugging Face's layout holds the weights of norms less one.
        var isNormOffset = false
        var epsilon: Float
        var scales = Scales()
        /// Whether the embedding is the head where the file has none of its own.
        var isTied: Bool

        /// How a layer is turned.
        func rotation(ofLayer index: Int) -> Rotation {
            if unrotatedLayers.contains(index) { return .none }
            return windowedRotary != nil && attention.windows[index] > 0 ? .windowed : .full
        }

        func attention(ofLayer index: Int) -> PagedAttention.Configuration {
            attention.windows[index] == 0 ? fullAttention ?? attention : attention
        }

        func feedForward(ofLayer index: Int) -> FeedForward.Configuration {
            var own = feedForward
            own.width = feedForwardWidths[index] ?? own.width
            guard let experts, !denseLayers.contains(index) else { return .gated(own) }
            if hasParallelExperts { return .both(.init(gated: own, experts: experts.0, epsilon: epsilon)) }
            return .experts(experts.0, name: experts.name)
        }

        /// The tables of those rotations that a layer has.
        func rotations() throws(TensorError) -> [Rotation: PagedAttention.Rotation] {
            func tables(_ rotary: RotaryFrequencies) throws(TensorError) -> PagedAttention.Rotation {
                let keys = try rotary.table(positions: shape.context, isInterleaved: isRotaryInterleaved)
                let queries = try queryScale.map { scale throws(TensorError) in
                    try rotary.table(positions: shape.context, isInterleaved: isRotaryInterleaved, times: scale)
                }
                return .init(queries: queries ?? keys, keys: keys)
            }
            var all: [Rotation: PagedAttention.Rotation] = [.full: try tables(rotary)]
            if let windowedRotary { all[.windowed] = try tables(windowedRotary) }
            return all
        }

        /// What all architectures of this form read in the same way.
        ///
        /// - Parameters:
        ///   - shape: read from the file by default.
        ///   - headDim: D where the file does not say it; C / H by default.
        ///   - context: positions where the file does not say it.
        ///   - rotary: read from the file by default.
        ///   - feedForward: F; read from the file by default.
        ///   - isTied: whether embedding and head are one where the file does not say it.
        /// - Throws: `TextModelError` that names the field.
        init(
            _ file: ConfigurationFile, shape: DecoderShape? = nil, headDim: Int? = nil, context: Int,
            epsilon: Double = 1e-6, rotary: RotaryFrequencies? = nil, feedForward: Int? = nil,
            activation: String = "hidden_act", standardActivation: String = "silu", isTied: Bool = false
        ) throws(TextModelError) {
            if let shape {
                self.shape = shape
            } else {
                self.shape = try DecoderShape(file, headDim: headDim, context: context)
            }
            if let rotary { self.rotary = rotary } else { self.rotary = try RotaryFrequencies(file, shape: self.shape) }
            attention = PagedAttention.Configuration(self.shape)
            let width: Int
            if let feedForward {
                width = feedForward
            } else {
                width = try file.extent("intermediate_size", in: DecoderShape.Limits.feedForward)
            }
            self.feedForward = GatedFeedForward.Configuration(
                width: width,
                activation: try file.activation(activation, absent: standardActivation))
            self.epsilon = Float(try file.number("rms_norm_eps") ?? epsilon)
            self.isTied = try file.bool("tie_word_embeddings") ?? isTied
        }

        /// - Parameters:
        ///   - shape: read from the file by default, as the rotation and F.
        /// - Throws: `TextModelError` that names the key.
        init(
            _ file: GGUFMetadata, shape: DecoderShape? = nil, epsilon: Double = 1e-6,
            rotary: RotaryFrequencies? = nil, feedForward: Int? = nil, activation: Device.Activation = .silu
        ) throws(TextModelError) {
            let shape = if let shape { shape } else { try DecoderShape(file) }
            self.shape = shape
            if let rotary { self.rotary = rotary } else { self.rotary = try RotaryFrequencies(file, shape: shape) }
            attention = PagedAttention.Configuration(shape)
            let width: Int
            if let feedForward {
                width = feedForward
            } else {
                width = try file.extent("feed_forward_length", in: DecoderShape.Limits.feedForward)
            }
            self.feedForward = GatedFeedForward.Configuration(width: width, activation: activation)
            self.epsilon = Float(try file.number("attention.layer_norm_rms_epsilon") ?? epsilon)
            isTied = file.isTied
            attention.inputBias = file.hasTensor("blk.0.attn_q.bias")
            attention.outputBias = file.hasTensor("blk.0.attn_output.bias")
        }

        /// Biases of all four projections, where `attention_bias` says so.
        mutating func readAttentionBias(_ file: ConfigurationFile, absent: Bool = false) throws(TextModelError) {
            let isBiased = try file.bool("attention_bias") ?? absent
            attention.inputBias = isBiased
            attention.outputBias = isBiased
        }
    }
}

extension PagedAttention.Configuration {
    init(_ shape: DecoderShape) {
        self.init(
            hidden: shape.hidden, heads: shape.heads, kvHeads: shape.kvHeads, headDim: shape.headDim,
            layers: shape.layers)
    }
}
