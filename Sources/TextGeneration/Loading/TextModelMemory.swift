package import Layers
import Tensors
package import TextModels

/// What one process of a text model will take in memory, told by its files before anything of it is loaded.
package struct TextModelMemory: Sendable, Equatable {
    /// Bytes of packed weights; processes of one machine share them where there is a cache of packed weights.
    package var weights: Int
    /// Bytes of keys, values and recurrent states when the cache is full.
    package var cache: Int
    /// Bytes of everything else: the program, the tokenizer, tables of rotations, the rows of a pass and their logits.
    package var working: Int

    package var total: Int { weights + cache + working }

    /// - Parameter directory: a checkpoint's, or its GGUF file.
    /// - Throws: `TextModelError` that names the file at fault.
    package init(
        directory: String, precision: Precision, options: EngineCore.Options
    ) throws(TextModelError) {
        weights = try CheckpointSize.weights(directory: directory, precision: precision)
        guard let extents = try TextModelLoader.extents(directory: directory) else {
            // An encoder: whole texts go through at once and leave nothing behind.
            (cache, working) = (0, Self.program + (64 << 20))
            return
        }
        cache = extents.cacheSize(
            positions: options.cachePositions, precision: options.cachePrecision, states: options.states)
        let shape = extents.shape
        let tables = extents.rotations * shape.context * shape.headDim * Self.float
        let rows = options.tokenBudget + options.sequenceLimit + options.draftRows
        // Residual stream, queries, keys, values, and the feed-forward, which is some four times as wide.
        let width = 10 * shape.hidden + (shape.heads + 2 * shape.kvHeads) * shape.headDim
        let logits = min(options.sequenceLimit + options.draftRows, rows) * shape.vocabulary
        working =
            Self.program + shape.vocabulary * Self.token + tables + (rows * width + 2 * logits) * Self.float
    }

    /// What a trainer takes, at most, while it trains an adapter of the model: the weights, the head twice in f32, and what
    /// the way back needs of each layer.
    ///
    /// - Parameter rows: tokens that go through the model together.
    /// - Returns: nil for an encoder, which is not trained.
    /// - Throws: `TextModelError` that names the file at fault.
    package static func training(directory: String, rows: Int = 1_024) throws(TextModelError) -> TextModelMemory? {
        guard let shape = try TextModelLoader.extents(directory: directory)?.shape else { return nil }
        var memory = TextModelMemory(weights: 0, cache: 0, working: 0)
        memory.weights = try CheckpointSize.weights(directory: directory, precision: .auto)
        let width = 10 * shape.hidden + 2 * (shape.heads + shape.kvHeads) * shape.headDim
        let heads = 2 * shape.vocabulary * shape.hidden
        memory.working =
            program + shape.vocabulary * token + (rows * shape.layers * width + heads) * float
        return memory
    }

    private init(weights: Int, cache: Int, working: Int) {
        (self.weights, self.cache, self.working) = (weights, cache, working)
    }

    private static let float = DType.f32.size
    /// Of the program itself, with its libraries: measured.
    private static let program = 48 << 20
    /// Of a tokenizer, by token of its vocabulary: measured.
    private static let token = 512
}
