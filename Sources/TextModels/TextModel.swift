package import Layers
package import Tensors

// Symbols used in this module:
//   R rows of a forward pass (tokens of all sequences together)   C hidden width   V vocabulary
//   H query heads   G key-value heads   D head width   L layers   F feed-forward width

/// The tokens of one forward pass: ids, and where each stands in which sequence.
package struct TokenBatch: Sendable {
    package var ids: [Int32] = []
    package var rows = AttentionRows()
    /// What becomes of the states of recurrent layers; nothing for a model that has none.
    package private(set) var states = StateRows()
    /// Which of the rows adapters change.
    package private(set) var adapters = AdapterRows()

    package init() {}

    /// - Parameter state: of a model with recurrent layers.
    package mutating func append(
        _ tokens: some Collection<Int32>, from position: Int, pages: [Int32], state: StateUse? = nil,
        adapter: LowRankAdapter? = nil
    ) {
        if let adapter { adapters.append(ids.count..<ids.count + tokens.count, adapter) }
        if let state, !tokens.isEmpty { states.append(ids.count..<ids.count + tokens.count, state) }
        ids.append(contentsOf: tokens)
        rows.append(positions: position..<position + tokens.count, pages: pages)
    }
}

/// A decoder-only Transformer, or a part of one. A row's result does not depend on the rows beside it.
///
/// A model cut by layers runs in several processes. The part with the first layers has what stands outside of all
/// layers too: embedding, final norm and head. Between the parts go the rows of the residual stream, in f32.
package protocol TextModel: Sendable {
    /// The whole model's extents.
    var shape: DecoderShape { get }
    /// The layers that are here.
    var layers: Range<Int> { get }
    /// What those layers here that have keys and values keep of each position, in the model's order.
    var pagedLayers: [KVExtents] { get }
    /// The states of the recurrent layers here; nil for none.
    var state: StateShape? { get }
    var weights: WeightCount { get }
    /// What adapters can change.
    var linearModules: [LinearModule] { get }
    /// Whether the checkpoint has a head: without one it gives embeddings, and no text.
    var hasHead: Bool { get }

    /// What enters the first layer: `[R, C]`.
    ///
    /// - Precondition: the first layer is here, as for ``normalize(_:on:)`` and ``logits(_:on:)``.
    func embed(_ batch: TokenBatch, on device: Device) throws(TensorError) -> Tensor

    /// Takes rows of the residual stream `[R, C]` through the layers that are here, in place, and writes their keys and
    /// values, and their states, to `cache`.
    ///
    /// - Throws: `TensorError.tooLarge` when memory cannot be had; the batch's states are lost then.
    func run(_ x: Tensor, _ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError)

    /// The final norm, in place.
    func normalize(_ x: Tensor, on device: Device)

    /// The logits of normed rows: `[R, C]` → `[R, V]`.
    ///
    /// - Parameter adapters: which of those rows adapters change.
    func logits(_ hidden: Tensor, _ adapters: AdapterRows, on device: Device) throws(TensorError) -> Tensor

    /// Embedding and head, where the first layer is.
    var tokenEmbedding: TokenEmbedding? { get }
}

extension TextModel {
    package var hasHead: Bool { true }
    package var pagedLayers: [KVExtents] {
        Array(repeating: KVExtents(heads: shape.kvHeads, headDim: shape.headDim), count: layers.count)
    }
    package var state: StateShape? { nil }
    package var tokenEmbedding: TokenEmbedding? { nil }

    /// The logits of normed rows that no adapter changes.
    package func logits(_ hidden: Tensor, on device: Device) throws(TensorError) -> Tensor {
        try logits(hidden, AdapterRows(), on: device)
    }

    /// Runs the batch through a model that is here whole, and returns the normed hidden rows `[R, C]`.
    package func forward(_ batch: TokenBatch, cache: DecoderCache, on device: Device) throws(TensorError) -> Tensor {
        let x = try embed(batch, on: device)
        try run(x, batch, cache: cache, on: device)
        normalize(x, on: device)
        return x
    }

    /// Reads one text, of one token at least, by itself: the normed hidden rows `[R, C]`.
    ///
    /// - Throws: `TensorError.tooLarge` when memory cannot be had.
    package func read(
        _ tokens: [Int32], adapter: LowRankAdapter? = nil, cachePrecision: CachePrecision = .f32, on device: Device
    ) throws(TensorError) -> Tensor {
        let pages = (tokens.count + KVStorage.pagePositions - 1) / KVStorage.pagePositions
        var batch = TokenBatch()
        batch.append(
            tokens, from: 0, pages: (0..<Int32(pages)).map { $0 },
            state: state.map { _ in StateUse(slot: 0, source: nil, taken: tokens.count) }, adapter: adapter)
        return try forward(batch, cache: try cache(pageCount: pages, precision: cachePrecision), on: device)
    }

    /// A cache for the layers that are here.
    ///
    /// - Parameter states: how many states, of a model with recurrent layers.
    /// - Throws: `TensorError.tooLarge` when it does not fit in memory.
    package func cache(
        pageCount: Int, precision: CachePrecision, states counts: DecoderCache.StateCounts = .single
    ) throws(TensorError) -> DecoderCache {
        let pages = try KVStorage(pageCount: pageCount, layers: pagedLayers, precision: precision)
        guard let state else { return DecoderCache(pages: pages) }
        let states = try StateStorage(
            state, sequences: counts.sequences, checkpoints: counts.checkpoints, logRows: counts.logRows)
        return DecoderCache(pages: pages, states: states)
    }

    /// The bytes of such a cache, most of which are not taken before they are used.
    package func cacheSize(
        positions: Int, precision: CachePrecision, states counts: DecoderCache.StateCounts = .single
    ) -> Int {
        ModelExtents(shape: shape, pagedLayers: pagedLayers, state: state).cacheSize(
            positions: positions, precision: precision, states: counts)
    }
}

/// What stands outside of all layers, in the part of a model that has the first one; elsewhere there is nothing.
struct EmbeddingAndHead<Norm: Sendable>: Sendable {
    private let parts: (embedding: TokenEmbedding, norm: Norm)?

    init(
        _ layers: Range<Int>, embedding: () throws(TensorError) -> TokenEmbedding, norm: () throws(TensorError) -> Norm
    ) throws(TensorError) {
        guard layers.lowerBound == 0 else {
            parts = nil
            return
        }
        parts = (try embedding(), try norm())
    }

    var matrices: [PackedMatrix] { parts?.embedding.matrices ?? [] }
    var tokenEmbedding: TokenEmbedding? { parts?.embedding }
    var hasHead: Bool { parts?.embedding.hasHead ?? true }
    var embedding: TokenEmbedding { present.embedding }
    var norm: Norm { present.norm }

    private var present: (embedding: TokenEmbedding, norm: Norm) {
        guard let parts else { preconditionFailure("embedding, final norm and head are where the first layer is") }
        return parts
    }
}

/// What a model's matrices amount to.
package struct WeightCount: Sendable {
    package var parameters = 0
    /// Size of the packed matrices, in bytes.
    package var bytes = 0
    /// How most of them are stored.
    package var format = PackedMatrix.Format.plain(.f32)

    init(_ matrices: [PackedMatrix]) {
        for matrix in matrices {
            parameters += matrix.count
            bytes += matrix.byteCount
        }
        let shares = Dictionary(matrices.map { ($0.format, $0.count) }, uniquingKeysWith: +)
        format = shares.max { $0.value < $1.value }?.key ?? .plain(.f32)
    }
}
