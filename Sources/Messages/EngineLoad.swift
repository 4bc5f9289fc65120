internal import CMessages

/// What a text engine does: its sequences, its key-value cache, and sums since the instance started.
package struct EngineLoad: Sendable, Equatable {
    package var running = 0
    package var waiting = 0
    package var cachePages = 0
    /// Those that sequences hold; the others are free, or kept for prompts to come.
    package var heldPages = 0
    /// Tokens of prompts, and how many of them were in the cache already.
    package var prefixQueries = 0
    package var prefixHits = 0
    /// Sequences that gave their pages to others.
    package var preemptions = 0

    package init() {}

    /// The part of the cache that sequences hold, from 0 to 1.
    package var cacheUse: Double { Double(heldPages) / Double(max(1, cachePages)) }

    /// Two engines in one process.
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

extension EngineLoad: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EngineLoad>) { nephele__v1__engine_load__init(c) }

    init(reading c: Nephele__V1__EngineLoad) throws {
        (running, waiting) = (Int(c.running), Int(c.waiting))
        cachePages = try size(c.cache_pages, "cache_pages")
        heldPages = try size(c.held_pages, "held_pages")
        prefixQueries = try size(c.prefix_queries, "prefix_queries")
        prefixHits = try size(c.prefix_hits, "prefix_hits")
        preemptions = try size(c.preemptions, "preemptions")
    }

    func write(to c: inout Nephele__V1__EngineLoad, in arena: inout Arena) {
        (c.has_running, c.running) = (1, UInt32(clamping: running))
        (c.has_waiting, c.waiting) = (1, UInt32(clamping: waiting))
        (c.has_cache_pages, c.cache_pages) = (1, cachePages.wire)
        (c.has_held_pages, c.held_pages) = (1, heldPages.wire)
        (c.has_prefix_queries, c.prefix_queries) = (1, prefixQueries.wire)
        (c.has_prefix_hits, c.prefix_hits) = (1, prefixHits.wire)
        (c.has_preemptions, c.preemptions) = (1, preemptions.wire)
    }
}
