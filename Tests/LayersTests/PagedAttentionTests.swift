import Foundation
import Layers
import Tensors
import Testing

/// Against the formula in double precision.
@Suite struct PagedAttentionTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kvHeads = 2
        var window = 0
        var softCap: Float = 0
        var hasBias = false
        var normsHeads = false
        var isJoint = false
        var hasSinks = false
        /// The norm over all heads together.
        var normsRows = false
        var isInterleaved = false
        var hasPositions = true
    }

    private static let (hidden, heads, headDim) = (12, 4, 6)
    private let device = Device(threadCount: 2)

    private func weights(_ variant: Variant) throws -> MemoryWeights {
        let (c, q, kv) = (Self.hidden, Self.heads * Self.headDim, variant.kvHeads * Self.headDim)
        var weights = MemoryWeights()
        if variant.isJoint {
            try weights.add("a.qkv_proj.weight", [q + 2 * kv, c])
        } else {
            for (name, count) in [("q", q), ("k", kv), ("v", kv)] {
                try weights.add("a.\(name)_proj.weight", [count, c])
                if variant.hasBias { try weights.add("a.\(name)_proj.bias", [count]) }
            }
        }
        try weights.add("a.o_proj.weight", [c, q])
        if variant.normsHeads {
            try weights.add("a.q_norm.weight", [Self.headDim])
            try weights.add("a.k_norm.weight", [Self.headDim])
        }
        if variant.normsRows {
            try weights.add("a.q_norm.weight", [q])
            try weights.add("a.k_norm.weight", [kv])
        }
        if variant.hasSinks { try weights.add("a.sinks", [Self.heads], scale: 2) }
        return weights
    }

    private func configuration(_ variant: Variant) -> PagedAttention.Configuration {
        var configuration = PagedAttention.Configuration(
            hidden: Self.hidden, heads: Self.heads, kvHeads: variant.kvHeads, headDim: Self.headDim, layers: 1)
        configuration.windows = [variant.window]
        configuration.softCap = variant.softCap
        configuration.inputBias = variant.hasBias
        configuration.normEpsilon = variant.normsHeads || variant.normsRows ? 1e-6 : nil
        configuration.isNormJoint = variant.normsRows
        configuration.hasSinks = variant.hasSinks
        configuration.isJoint = variant.isJoint
        return configuration
    }

    /// The layer's rows `[T, C]`, computed in passes of so many positions.
    private func run(_ variant: Variant, _ x: [Float], passes: [Range<Int>]) throws -> [Float] {
        let configuration = configuration(variant)
        let table = try RotaryFrequencies(base: 100, width: 4).table(
            positions: 64, isInterleaved: variant.isInterleaved)
        let layer = try PagedAttention(
            WeightLoader(checkpoint: try weights(variant), device: device), layer: 0, cacheLayer: 0, "a.",
            configuration,
            rotation: variant.hasPositions ? .init(queries: table, keys: table) : nil)
        let cache = try KVStorage(
            pageCount: 2, layers: [KVExtents(heads: variant.kvHeads, headDim: Self.headDim)])
        var out: [Float] = []
        for pass in passes {
            var rows = AttentionRows()
            rows.append(positions: pass, pages: [1, 0])
            let own = Array(x[pass.lowerBound * Self.hidden..<pass.upperBound * Self.hidden])
            let h = try Tensor(own, shape: [pass.count, Self.hidden])
            let y = try Tensor(zeros: [pass.count, Self.hidden])
            try layer(h, rows, AdapterRows(), cache: cache, into: y, on: device)
            out += y.floats
        }
        return out
    }

    private func reference(_ variant: Variant, _ x: [Float]) throws -> [Double] {
        let weights = try weights(variant), (c, d) = (Self.hidden, Self.headDim)
        let (q, kv) = (Self.heads * d, variant.kvHeads * d)
        func project(_ name: String, _ first: Int, _ count: Int, _ row: Int) -> [Double] {
            let matrix = weights.numbers(variant.isJoint ? "a.qkv_proj.weight" : "a.\(name)_proj.weight")
            let bias = variant.hasBias ? weights.numbers("a.\(name)_proj.bias") : []
            let offset = variant.isJoint ? first : 0
            return (0..<count).map { n in
                var sum: Double = bias.isEmpty ? 0 : bias[n]
                for k in 0..<c { sum += matrix[(offset + n) * c + k] * Double(x[row * c + k]) }
                return sum
            }
        }
        func turned(_ head: [Double], _ name: String, at position: Int) -> [Double] {
            var head = head
            if variant.normsHeads {
                let root = (head.reduce(0) { $0 + $1 * $1 } / Double(d) + 1e-6).squareRoot()
                head = zip(head, weights.numbers("a.\(name)_norm.weight")).map { $0 / root * $1 }
            }
            guard variant.hasPositions else { return head }
            // Of six elements the first four are turned, in the pairs (0, 2) and (1, 3), or (0, 1) and (2, 3).
            for pair in 0..<2 {
                let angle = Double(position) * pow(100, -Double(pair) / 2)
                let first = variant.isInterleaved ? 2 * pair : pair
                let second = variant.isInterleaved ? first + 1 : pair + 2
                let (a, b) = (head[first], head[second])
                head[first] = a * cos(angle) - b * sin(angle)
                head[second] = b * cos(angle) + a * sin(angle)
            }
            return head
        }
        func normed(_ rows: [Double], _ name: String) -> [Double] {
            guard variant.normsRows else { return rows }
            let root = (rows.reduce(0) { $0 + $1 * $1 } / Double(rows.count) + 1e-6).squareRoot()
            return zip(rows, weights.numbers("a.\(name)_norm.weight")).map { $0 / root * $1 }
        }
        let sinks = weights.numbers("a.sinks")
        let count = x.count / c, group = Self.heads / variant.kvHeads
        var out: [Double] = []
        for row in 0..<count {
            var attended: [Double] = []
            let queries = normed(project("q", 0, q, row), "q")
            for head in 0..<Self.heads {
                let query = turned(Array(queries[head * d..<(head + 1) * d]), "q", at: row)
                let first = variant.window == 0 ? 0 : max(0, row - variant.window + 1)
                let own = (head / group) * d..<(head / group + 1) * d
                let scores = (first...row).map { other -> Double in
                    let key = turned(Array(normed(project("k", q, kv, other), "k")[own]), "k", at: other)
                    let score = zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } / Double(d).squareRoot()
                    let cap = Double(variant.softCap)
                    return cap == 0 ? score : cap * tanh(score / cap)
                }
                let largest = scores.max() ?? 0, shares = scores.map { exp($0 - largest) }
                var sum = [Double](repeating: 0, count: d)
                for (share, other) in zip(shares, first...row) {
                    let value = project("v", q + kv, kv, other)[own]
                    for (index, number) in value.enumerated() { sum[index] += share * number }
                }
                let sink = sinks.isEmpty ? 0 : exp(sinks[head] - largest)
                attended += sum.map { $0 / (shares.reduce(0, +) + sink) }
            }
            let matrix = weights.numbers("a.o_proj.weight")
            out += (0..<c).map { n in (0..<q).reduce(0) { $0 + matrix[n * q + $1] * attended[$1] } }
        }
        return out
    }

    static let variants = [
        Variant(testDescription: "grouped heads"), Variant(testDescription: "one head for all", kvHeads: 1),
        Variant(testDescription: "a window of 5", window: 5), Variant(testDescription: "soft caps", softCap: 0.5),
        Variant(testDescription: "biases", kvHeads: 4, hasBias: true),
        Variant(testDescription: "norms of heads", normsHeads: true),
        Variant(testDescription: "one matrix for all", isJoint: true),
        Variant(testDescription: "sinks within a window", window: 5, hasSinks: true),
        Variant(testDescription: "norms of rows", normsRows: true),
        Variant(testDescription: "pairs side by side", isInterleaved: true),
        Variant(testDescription: "no positions", hasPositions: false),
    ]

    @Test(arguments: variants) func `rows are those of the formula, and in chunks the same bits`(variant: Variant)
        throws
    {
        var source = MemoryWeights()
        try source.add("x", [40, Self.hidden], scale: 1)
        let x = source.tensors["x"]?.floats ?? []
        let whole = try run(variant, x, passes: [0..<40])
        for (a, b) in zip(whole, try reference(variant, x)) { #expect(abs(Double(a) - b) <= 2e-5 * (1 + abs(b))) }
        #expect(try run(variant, x, passes: [0..<7, 7..<8, 8..<33, 33..<40]) == whole)
    }
}
