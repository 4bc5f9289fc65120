import Layers
import Tensors
import Testing

@Suite struct LinearTests {
    private let device = Device(threadCount: 2)

    private func loader() throws -> WeightLoader {
        var weights = MemoryWeights()
        try weights.add("model.layers.0.up.weight", [5, 3])
        try weights.add("model.layers.0.up.bias", [5])
        try weights.add("model.layers.0.joint.weight", [7, 3])
        try weights.add("model.layers.0.turned.weight", [3, 5])
        return WeightLoader(checkpoint: weights, device: device)
    }

    private func dot(_ row: [Float], _ matrix: [Float], _ n: Int) -> Float {
        (0..<3).reduce(0) { row[$1] * matrix[n * 3 + $1] + $0 }
    }

    @Test func `a layer multiplies, adds its bias and the residual`() throws {
        let loader = try loader()
        let linear = try loader.linear("model.layers.0.up", outputs: 5, inputs: 3, bias: true)
        let x: [Float] = [1, -2, 0.5, 0, 3, 1]
        let residual = try Tensor((0..<10).map { Float($0) }, shape: [2, 5])
        let y = try linear(try Tensor(x, shape: [2, 3]), AdapterRows(), residual: residual, on: device).floats
        let matrix = try loader.table("model.layers.0.up.weight", shape: [5, 3]).floats
        let bias = try loader.vector("model.layers.0.up.bias", count: 5).floats
        for row in 0..<2 {
            for n in 0..<5 {
                let expected = dot(Array(x[row * 3..<row * 3 + 3]), matrix, n) + bias[n] + Float(row * 5 + n)
                #expect(abs(y[row * 5 + n] - expected) < 1e-5)
            }
        }
    }

    @Test func `a joint matrix is cut, and layers computed together have the bits of each alone`() throws {
        let loader = try loader()
        let parts = try loader.linears("model.layers.0.joint", parts: [2, 4, 1], inputs: 3, bias: false)
        #expect(parts.map(\.columns) == [2, 4, 1] && parts.map(\.number) == [0, 1, 2])
        let x = try Tensor([0.3, -1, 2], shape: [1, 3]), none = AdapterRows()
        let (a, b, c) = try Linear.together(parts[0], parts[1], parts[2], x, none, on: device)
        #expect(try [a, b, c].map(\.floats) == parts.map { try $0(x, none, on: device).floats })
        let matrix = try loader.table("model.layers.0.joint.weight", shape: [7, 3]).floats
        let whole = a.floats + b.floats + c.floats
        for n in 0..<7 { #expect(abs(whole[n] - dot([0.3, -1, 2], matrix, n)) < 1e-5) }
        let module = try #require(loader.linearModules.modules.first)
        #expect(module.name == "layers.0.joint" && module.parts.map(\.outputs) == [0..<2, 2..<6, 6..<7])
    }

    @Test func `a matrix of inputs by outputs is turned`() throws {
        let loader = try loader()
        let linear = try loader.linear("model.layers.0.turned", outputs: 5, inputs: 3, bias: false, transposed: true)
        let y = try linear(try Tensor([1, 0, 0], shape: [1, 3]), AdapterRows(), on: device)
        #expect(y.floats == Array(try loader.table("model.layers.0.turned.weight", shape: [3, 5]).floats.prefix(5)))
    }

    @Test func `rows of an adapter gain its product, and no others change`() throws {
        let loader = try loader()
        let linear = try loader.linear("model.layers.0.up", outputs: 5, inputs: 3, bias: false)
        let (down, up) = (try Tensor([1, 2, 3], shape: [1, 3]), try Tensor([1, 0, -1, 2, 5], shape: [5, 1]))
        let update = LowRankUpdate(
            down: try PackedMatrix(down, on: device), up: try PackedMatrix(up, on: device))
        let adapter = LowRankAdapter(contentID: "one", byteCount: 0, updates: [update])
        var rows = AdapterRows()
        rows.append(0..<1, adapter)
        rows.append(2..<3, adapter)
        let x = try Tensor([1, 1, 1, 2, 0, 1, -1, 0, 1], shape: [3, 3])
        let plain = try linear(x, AdapterRows(), on: device).floats
        let changed = try linear(x, rows, on: device).floats
        // A x is 6 for row 0 and 2 for row 2.
        let own: [Float] = [1, 0, -1, 2, 5]
        var expected = plain
        for index in 0..<5 {
            expected[index] += 6 * own[index]
            expected[10 + index] += 2 * own[index]
        }
        #expect(zip(changed, expected).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(changed[5..<10] == plain[5..<10] && adapter.updateCount == 1)
    }

    @Test func `what is missing or has another shape is named`() throws {
        let loader = try loader()
        #expect { try loader.linear("model.layers.0.up", outputs: 6, inputs: 3, bias: false) } throws: {
            "\($0)".contains("model.layers.0.up.weight")
        }
        #expect { try loader.linear("model.layers.1.up", outputs: 5, inputs: 3, bias: false) } throws: {
            "\($0)".contains("model.layers.1.up.weight")
        }
        #expect { try WeightLoader(checkpoint: MemoryWeights(), device: device, layers: 2..<9).layers(of: 4) } throws: {
            "\($0)".contains("0-3")
        }
    }
}
