import Foundation
import Layers
import Tensors
import Testing

/// Against the formula in double precision.
@Suite struct FullAttentionTests {
    private let device = Device(threadCount: 2)
    private static let (channels, heads, width, batch, rows) = (6, 2, 4, 3, 5)

    private func weights(context: Int) throws -> MemoryWeights {
        var weights = MemoryWeights()
        let inner = Self.heads * Self.width
        for (name, outputs, inputs) in [
            ("q", inner, Self.channels), ("k", inner, context), ("v", inner, context), ("o", Self.channels, inner),
        ] {
            try weights.add("a.\(name).weight", [outputs, inputs])
            try weights.add("a.\(name).bias", [outputs])
        }
        try weights.add("h", [Self.batch * Self.rows, Self.channels], scale: 1)
        try weights.add("context", [Self.batch * 7, context], scale: 1)
        return weights
    }

    private func product(_ weights: MemoryWeights, _ name: String, _ x: [Double]) -> [Double] {
        let matrix = weights.numbers("a.\(name).weight"), bias = weights.numbers("a.\(name).bias")
        return bias.indices.map { n in
            var sum = bias[n]
            for k in x.indices { sum += matrix[n * x.count + k] * x[k] }
            return sum
        }
    }

    private func rows(_ numbers: [Double], _ width: Int) -> [[Double]] {
        stride(from: 0, to: numbers.count, by: width).map { Array(numbers[$0..<$0 + width]) }
    }

    @Test(arguments: [nil, 9] as [Int?])
    func `rows attend to their own part, or to another sequence's`(contextChannels: Int?) throws {
        let weights = try weights(context: contextChannels ?? Self.channels)
        let layer = try FullAttention(
            WeightLoader(checkpoint: weights, device: device), "a",
            .init(query: "q", key: "k", value: "v", output: "o"),
            channels: Self.channels, contextChannels: contextChannels, heads: Self.heads, headWidth: Self.width,
            inputBias: true)
        let h = try #require(weights.tensors["h"])
        let context = contextChannels == nil ? nil : weights.tensors["context"]
        let y = try Tensor(zeros: h.shape)
        try layer(h, context: context, batch: Self.batch, residual: h, into: y, on: device)

        let queries = rows(weights.numbers("h"), Self.channels)
        let others = contextChannels.map { rows(weights.numbers("context"), $0) } ?? queries
        let part = others.count / Self.batch
        for (row, x) in queries.enumerated() {
            let q = product(weights, "q", x), own = others[row / Self.rows * part..<(row / Self.rows + 1) * part]
            let keys = own.map { product(weights, "k", $0) }, values = own.map { product(weights, "v", $0) }
            var attended: [Double] = []
            for head in 0..<Self.heads {
                let span = head * Self.width..<(head + 1) * Self.width
                let shares = keys.map { key in exp(span.reduce(0.0) { $0 + q[$1] * key[$1] } / 2) }
                let total = shares.reduce(0, +)
                for index in span {
                    attended.append(zip(shares, values).reduce(0.0) { $0 + $1.0 * $1.1[index] } / total)
                }
            }
            let expected = zip(product(weights, "o", attended), x).map { $0 + $1 }
            for (a, b) in zip(y.rows(row..<row + 1).floats, expected) {
                #expect(abs(Double(a) - b) <= 2e-5 * (1 + abs(b)))
            }
        }
    }
}
