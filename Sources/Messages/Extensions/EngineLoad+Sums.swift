extension EngineLoad {
    /// The part of the cache that sequences hold, from 0 to 1.
    package var cacheUse: Double { Double(heldPages) / Double(max(1, cachePages)) }

    /// Adds the load of another engine in the same process.
    package static func += (left: inout EngineLoad, right: EngineLoad) {
        left.running += right.running
        left.waiting += right.waiting
        left.cachePages += right.cachePages
        left.heldPages += right.heldPages
        left.prefixQueries += right.prefixQueries
        left.prefixHits += right.prefixHits
        left.preemptions += right.preemptions
    }
}
