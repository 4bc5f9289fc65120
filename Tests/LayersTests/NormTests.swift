import Layers
import Tensors
import Testing

@Suite struct NormTests {
    private let device = Device(threadCount: 2)

    private func isNear(_ a: [Float], _ b: [Double]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) <= 1e-5 * (1 + abs($1)) }
    }

    @Test(arguments: [false, true]) func `an RMSNorm is its formula, with the weight whole or less one`(isOffset: Bool)
        throws
    {
        var weights = MemoryWeights()
        try weights.add("norm.weight", [7])
        let loader = WeightLoader(checkpoint: weights, device: device)
        let norm = try RMSNorm(loader, "norm", count: 7, epsilon: 1e-6, isOffset: isOffset)
        let x = (0..<14).map { Float($0) * 0.3 - 2 }
        let y = try Tensor(zeros: [2, 7])
        norm(try Tensor(x, shape: [2, 7]), into: y, on: device)
        var expected: [Double] = []
        for row in 0..<2 {
            let values = x[row * 7..<row * 7 + 7].map { Double($0) }
            let root = (values.reduce(0) { $0 + $1 * $1 } / 7 + 1e-6).squareRoot()
            expected += zip(values, weights.numbers("norm.weight")).map { $0 / root * ($1 + (isOffset ? 1 : 0)) }
        }
        #expect(isNear(y.floats, expected))
    }

    @Test func `a file of GGUF's layout holds the weight whole`() throws {
        var weights = MemoryWeights(layout: .gguf)
        try weights.add("norm.weight", [5])
        let loader = WeightLoader(checkpoint: weights, device: device)
        let norm = try RMSNorm(loader, "norm", count: 5, epsilon: 1e-6, isOffset: true)
        #expect(norm.weight.floats == weights.tensors["norm.weight"]?.floats)
    }

    @Test func `an RMSNorm of heads norms each of them alone`() throws {
        var weights = MemoryWeights()
        try weights.add("norm.weight", [4])
        let norm = try RMSNorm(
            WeightLoader(checkpoint: weights, device: device), "norm", count: 4, epsilon: 1e-6)
        let numbers = (0..<24).map { Float($0 * $0 % 11) - 4 }
        let heads = try Tensor(numbers, shape: [2, 12]), rows = try Tensor(numbers, shape: [6, 4])
        norm(parts: heads, on: device)
        norm(rows, into: rows, on: device)
        #expect(heads.floats == rows.floats && heads.shape == [2, 12])
    }

    @Test func `a layer norm is its formula`() throws {
        var weights = MemoryWeights()
        try weights.add("norm.weight", [6])
        try weights.add("norm.bias", [6])
        let norm = try LayerNorm(
            WeightLoader(checkpoint: weights, device: device), "norm", count: 6, epsilon: 1e-5)
        let x = (0..<6).map { Float($0 * $0) - 7 }
        let y = try Tensor(x, shape: [1, 6])
        norm(y, into: y, on: device)
        let values = x.map { Double($0) }, mean = values.reduce(0, +) / 6
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6
        let expected = values.indices.map {
            (values[$0] - mean) / (variance + 1e-5).squareRoot() * weights.numbers("norm.weight")[$0]
                + weights.numbers("norm.bias")[$0]
        }
        #expect(isNear(y.floats, expected))
    }
}
