import Layers
import Tensors

/// What lets a layer's rows see those before them: attention over pages, or a layer with a state.
enum SequenceMixer: Sendable {
    case attention(PagedAttention)
    case latent(LatentAttention)
    case deltaNet(GatedDeltaNet)
    case convolution(GatedConvolution)

    /// The recurrent layers of an architecture.
    enum Recurrence: Sendable {
        case deltaNet(GatedDeltaNet.Configuration, name: String)
        case convolution(GatedConvolution.Configuration, name: String)

        func state(layers: Int) -> StateShape {
            switch self {
            case .deltaNet(let configuration, _): configuration.state(layers: layers)
            case .convolution(let configuration, _): configuration.state(layers: layers)
            }
        }
    }

    /// What layers so far keep in the cache, which numbers those that come.
    struct Counts {
        var paged: [KVExtents] = []
        /// The numbers in the cache of layers with keys and values, by theirs in the model.
        var places: [Int: Int] = [:]
        var recurrent = 0
    }

    init(
        _ loader: WeightLoader, layer: Int, _ configuration: Decoder.Configuration,
        rotation: PagedAttention.Rotation?, _ counts: inout Counts
    ) throws(TensorError) {
        let name = "model.layers.\(layer)."
        if let latent = configuration.latent, let rotation {
            self = .latent(
                try LatentAttention(
                    loader, cacheLayer: counts.paged.count, name + "self_attn.", latent, rotation: rotation))
            counts.paged.append(latent.extents)
            return
        }
        guard let recurrence = configuration.recurrence, configuration.recurrentLayers.contains(layer) else {
            let (own, writer) = (configuration.attention(ofLayer: layer), configuration.writers[layer])
            guard let place = writer.map({ counts.places[$0] }) ?? counts.paged.count else {
                throw TensorError(
                    .mismatch,
                    "layer \(layer) reads the keys and values of layer \(writer ?? 0), which is not in this shard: the model "
                        + "cannot be cut there")
            }
            let attention = try PagedAttention(
                loader, layer: layer, cacheLayer: place, isReader: writer != nil, name + "self_attn.", own,
                rotation: rotation)
            if writer == nil {
                counts.places[layer] = place
                counts.paged.append(attention.extents)
            }
            self = .attention(attention)
            return
        }
        switch recurrence {
        case .deltaNet(let own, let part):
            self = .deltaNet(try GatedDeltaNet(loader, layer: counts.recurrent, name + part, own))
        case .convolution(let own, let part):
            self = .convolution(try GatedConvolution(loader, layer: counts.recurrent, name + part, own))
        }
        counts.recurrent += 1
    }

    var matrices: [PackedMatrix] {
        switch self {
        case .attention(let layer): layer.matrices
        case .latent(let layer): layer.matrices
        case .deltaNet(let layer): layer.matrices
        case .convolution(let layer): layer.matrices
        }
    }

    func callAsFunction(
        _ h: Tensor, _ batch: TokenBatch, cache: DecoderCache, residual: Tensor?, into y: Tensor, on device: Device
    ) throws(TensorError) {
        var states: StateStorage {
            guard let states = cache.states else { preconditionFailure("a recurrent layer without states") }
            return states
        }
        switch self {
        case .attention(let layer):
            try layer(h, batch.rows, batch.adapters, cache: cache.pages, residual: residual, into: y, on: device)
        case .latent(let layer):
            try layer(h, batch.rows, batch.adapters, cache: cache.pages, residual: residual, into: y, on: device)
        case .deltaNet(let layer):
            try layer(h, batch.states, batch.adapters, states: states, residual: residual, into: y, on: device)
        case .convolution(let layer):
            try layer(h, batch.states, batch.adapters, states: states, residual: residual, into: y, on: device)
        }
    }
}

/// A layer's feed-forward: gated, of experts, or both.
enum FeedForward: Sendable {
    case gated(GatedFeedForward)
    case experts(MixtureOfExperts)
    case both(ParallelExperts)

    /// What a layer has, and what its file calls it.
    enum Configuration: Sendable {
        case gated(GatedFeedForward.Configuration)
        case experts(MixtureOfExperts.Configuration, name: String)
        case both(ParallelExperts.Configuration)
    }

    init(
        _ loader: WeightLoader, _ layer: String, _ configuration: Configuration, hidden: Int
    ) throws(TensorError) {
        switch configuration {
        case .gated(let configuration):
            self = .gated(try GatedFeedForward(loader, layer + "mlp.", configuration, hidden: hidden))
        case .experts(let configuration, let name):
            self = .experts(try MixtureOfExperts(loader, layer + name, configuration, hidden: hidden))
        case .both(let configuration):
            self = .both(try ParallelExperts(loader, layer, configuration, hidden: hidden))
        }
    }

    var matrices: [PackedMatrix] {
        switch self {
        case .gated(let layer): layer.matrices
        case .experts(let layer): layer.matrices
        case .both(let layer): layer.matrices
        }
    }

    /// - Parameters:
    ///   - h: what comes of the norm before, `[R, C]`.
    ///   - x: what entered that norm.
    func callAsFunction(
        _ h: Tensor, of x: Tensor, _ adapters: AdapterRows, residual: Tensor?, into y: Tensor, on device: Device
    ) throws(TensorError) {
        switch self {
        case .gated(let layer): try layer(h, adapters, residual: residual, into: y, on: device)
        case .experts(let layer): try layer(h, adapters, residual: residual, into: y, on: device)
        case .both(let layer): try layer(h, of: x, adapters, residual: residual, into: y, on: device)
        }
    }
}
