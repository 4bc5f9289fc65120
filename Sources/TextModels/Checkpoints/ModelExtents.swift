package import Tensors

/// What of a decoder decides about the memory of an engine, by its files alone.
package struct ModelExtents: Sendable {
    package var shape: DecoderShape
    /// What those layers that have keys and values keep of each position.
    package var pagedLayers: [KVExtents]
    /// The states of the other layers; nil where there are none.
    package var state: StateShape?
    /// Ways in which queries and keys are turned, each with a table of all positions.
    package var rotations = 1

    /// The bytes of keys, values and states.
    package func cacheSize(positions: Int, precision: CachePrecision, states: DecoderCache.StateCounts) -> Int {
        let pages = (positions + KVStorage.pagePositions - 1) / KVStorage.pagePositions
        let keysAndValues = KVStorage.size(pageCount: pages, layers: pagedLayers, precision: precision)
        let all = state?.byteCount(
            sequences: states.sequences, checkpoints: states.checkpoints, logRows: states.logRows)
        return keysAndValues + (all ?? 0)
    }
}

extension Decoder.Configuration {
    var extents: ModelExtents {
        let recurrent = recurrentLayers.count
        // Layers that read another's keys and values keep none.
        let paged = (0..<shape.layers).filter { !recurrentLayers.contains($0) && writers[$0] == nil }
        return ModelExtents(
            shape: shape, pagedLayers: paged.map { attention(ofLayer: $0).extents },
            state: recurrent > 0 ? recurrence?.state(layers: recurrent) : nil,
            rotations: (windowedRotary == nil ? 1 : 2) + (queryScale == nil ? 0 : 1))
    }
}

extension DecoderArchitecture {
    package var extents: ModelExtents { configuration.extents }
}
