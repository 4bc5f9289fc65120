import Tensors
import TextModels

/// What the first shard keeps for those after it: the rows that enter each, and the passes that are under way.
///
/// The rows lie where their positions' keys and values do, a page of rows beside each page of the cache, and live as
/// long: whatever a shard has lost can be given to it again.
struct LaterShards: Sendable {
    /// A part of a pass as it was sent.
    struct Span: Sendable {
        /// Index in the plan's chunks; nil for rows that are only given again.
        var chunk: Int?
        var residency: UInt64
        var start: Int
        var count: Int
        var outputs: Int
    }

    /// A pass on its way.
    struct Flight: Sendable {
        let plan: RequestScheduler.Plan
        /// The later shard that it is at, from 0.
        var shard = 0
        var sent: [Span] = []
        /// Rows that the shard has to be given before the pass itself.
        var replays: [Span] = []
        /// How often the shard has lacked something.
        var losses = 0
        /// After the last shard: rows `[logits, C]`.
        var rows: Tensor?
    }

    /// By later shard: `[pages · 32, C]`.
    let boundaries: [Tensor]
    /// By group.
    var flights: [Int: Flight] = [:]
    /// By later shard: the stays that it knows.
    var knownSequences: [Set<UInt64>]
    /// Rows that are given again in one call, at most.
    let replayRows: Int

    /// A shard that lacks something again and again has a cache that is too small for a pass.
    static let lossLimit = 8

    init(count: Int, pageCount: Int, shape: DecoderShape) throws(TensorError) {
        var boundaries: [Tensor] = []
        for _ in 0..<count {
            boundaries.append(try Tensor(zeros: [pageCount * KVStorage.pagePositions, shape.hidden]))
        }
        self.boundaries = boundaries
        knownSequences = Array(repeating: [], count: count)
        replayRows = min(512, max(1, (16 << 20) / (shape.hidden * 4)))
    }

    /// Where the rows of positions lie.
    static func places(_ positions: Range<Int>, pages: [Int32]) -> [Int] {
        positions.map {
            Int(pages[$0 / KVStorage.pagePositions]) * KVStorage.pagePositions + $0 % KVStorage.pagePositions
        }
    }
}
