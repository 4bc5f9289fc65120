import Foundation
import Layers
import Tensors
import Testing

@testable import Autograd

/// What PyTorch's autograd makes of each operation in f64, checked there against finite differences
/// (`make_gradients.py`).
struct GradientTests {
    private let goldens: SafetensorsFile

    init() throws {
        let url = try #require(Bundle.module.url(forResource: "Goldens/gradients", withExtension: "safetensors"))
        goldens = try SafetensorsFile(path: url.path)
    }

    private func tensor(_ name: String) throws -> Tensor { try goldens.tensor(name) }

    private func integers(_ name: String) throws -> [Int32] {
        let bytes = try tensor(name).bytes
        return stride(from: 0, to: bytes.count, by: 4).map { first in
            Int32(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[first + $1]) << UInt32(8 * $1) })
        }
    }

    /// |Δ| ≤ 2e-5 · (largest of the tensor + |x|): f32 chains against f64.
    private func expect(_ name: String, _ value: Tensor?, _ isSet: String = "") throws {
        let value = try #require(value, "\(name)"), expected = try tensor(name).floats
        let scale = expected.map(abs).max() ?? 0
        #expect(value.count == expected.count)
        for (i, (x, y)) in zip(value.floats, expected).enumerated() where abs(x - y) > 2e-5 * (scale + abs(y)) {
            Issue.record("\(name)[\(i)] is \(x), PyTorch has \(y) \(isSet)")
            return
        }
    }

    /// Goes forward and back on every instruction set, with one thread and with two: against PyTorch, and bit for bit.
    private func check(
        _ name: String, _ inputs: [String], gradients: (Device) throws -> [(String, Tensor)]
    ) throws {
        var first: [[UInt32]]?
        for set in Device.InstructionSet.available {
            for threads in 1...2 {
                let results = try gradients(Device(threadCount: threads, instructionSet: set))
                for (part, value) in results { try expect("\(name).\(part)", value, "with \(set)") }
                let bits = results.map { $0.1.floats.map(\.bitPattern) }
                #expect(bits == first ?? bits, "\(name) has other bits with \(set) and \(threads) threads")
                first = first ?? bits
            }
        }
    }

    /// Goes back from `result` with the golden `dy`.
    private func back(_ tape: Tape, _ name: String, _ result: Variable) throws {
        let copy = try Tensor(try tensor("\(name).dy").floats, shape: [result.rows, result.width])
        result.receive(copy, on: tape.device)
        try tape.backward()
    }

    private func variable(_ name: String) throws -> Variable {
        Variable(try tensor(name), needsGradient: true)
    }

    private func value(_ variable: Variable) throws -> Tensor {
        let value = try variable.value()
        return try Tensor(value.floats, shape: value.shape)
    }

    @Test("A frozen linear layer gives PyTorch's gradient of its input, however its weights are stored")
    func frozenLinear() throws {
        try check("linear", ["x"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("linear.x")
            let layer = Linear(weight: try PackedMatrix(try tensor("linear.w"), on: device), bias: nil, number: 0)
            let y = try tape.linear(x, layer, nil), result = try value(y)
            try back(tape, "linear", y)
            return [("y", result), ("dx", try #require(x.gradient))]
        }
    }

    @Test("A trained linear layer gives PyTorch's gradients of input and weight, added to what was there")
    func trainedLinear() throws {
        try check("linear", ["x", "w"]) { device in
            let weight = try Parameter("w", try tensor("linear.w"))
            var last: (Tensor, Tensor)?
            for _ in 0..<2 {
                let tape = Tape(on: device, memory: TapeMemory()), x = try variable("linear.x")
                let y = try tape.linear(x, weight), result = try value(y)
                try back(tape, "linear", y)
                last = (result, try #require(x.gradient))
            }
            device.scale(weight.gradient, by: 0.5, into: weight.gradient)
            let (y, dx) = try #require(last)
            return [("y", y), ("dx", dx), ("dw", weight.gradient)]
        }
    }

    @Test("A layer with an adapter gives PyTorch's gradients of its input and of both matrices")
    func adapted() throws {
        try check("adapted", ["x", "a", "b"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("adapted.x")
            let down = try Parameter("a", try tensor("adapted.a")), up = try Parameter("b", try tensor("adapted.b"))
            let layer = Linear(weight: try PackedMatrix(try tensor("adapted.w"), on: device), bias: nil, number: 0)
            let y = try tape.linear(x, layer, LowRankParameters(down: down, up: up, scale: 1.5, outputs: 0..<33))
            let result = try value(y)
            try back(tape, "adapted", y)
            return [("y", result), ("dx", try #require(x.gradient)), ("da", down.gradient), ("db", up.gradient)]
        }
    }

    @Test("Norms give PyTorch's gradients of rows, weights and biases", arguments: ["rms", "layer"])
    func norms(name: String) throws {
        try check(name, ["x", "w", "b"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("\(name).x")
            let weight = try Parameter("w", try tensor("\(name).w"))
            let bias = name == "layer" ? try Parameter("b", try tensor("layer.b")) : nil
            let y = try tape.norm(
                x, weight: weight.value, bias: bias?.value, trained: (weight, bias),
                .init(epsilon: 1e-5, isCentered: name == "layer"))
            let result = try value(y)
            try back(tape, name, y)
            let all = [("y", result), ("dx", try #require(x.gradient)), ("dw", weight.gradient)]
            return all + (bias.map { [("db", $0.gradient)] } ?? [])
        }
    }

    @Test(
        "Activations, gated and plain, give PyTorch's gradients",
        arguments: [
            ("silu", Device.Activation.silu), ("gelu-tanh", .geluTanh), ("gelu-erf", .geluErf),
            ("gelu-quick", .geluQuick), ("relu", .relu), ("tanh", .tanh), ("sigmoid", .sigmoid),
        ])
    func activations(name: String, activation: Device.Activation) throws {
        try check("gated-\(name)", ["x", "factor"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("gated-\(name).x")
            let factor = try variable("gated-\(name).factor")
            let y = try tape.map(activation, x, times: factor), result = try value(y)
            try back(tape, "gated-\(name)", y)
            return [
                ("y", result), ("dx", try #require(x.gradient)), ("dfactor", try #require(factor.gradient)),
            ]
        }
        try check("plain-\(name)", ["x"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("plain-\(name).x")
            let y = try tape.map(activation, x), result = try value(y)
            try back(tape, "plain-\(name)", y)
            return [("y", result), ("dx", try #require(x.gradient))]
        }
    }

    @Test(
        "Attention gives PyTorch's gradients: grouped heads, windows, one row, several spans",
        arguments: [
            ("attention", 4, 2, 20, 0), ("attention-window", 4, 1, 16, 7), ("attention-one", 2, 2, 8, 0),
            ("attention-long", 2, 1, 8, 0), ("attention-long-window", 2, 2, 8, 270),
        ])
    func attention(name: String, heads: Int, kvHeads: Int, headDim: Int, window: Int) throws {
        try check(name, ["q", "k", "v"]) { device in
            let tape = Tape(on: device, memory: TapeMemory())
            let (q, k, v) = (try variable("\(name).q"), try variable("\(name).k"), try variable("\(name).v"))
            let y = try tape.attention(
                .init(heads: heads, kvHeads: kvHeads, headDim: headDim, window: window, scale: 0.3), q: q, k: k, v: v,
                texts: [0..<q.rows])
            let result = try value(y)
            try back(tape, name, y)
            return [
                ("y", result), ("dq", try #require(q.gradient)), ("dk", try #require(k.gradient)),
                ("dv", try #require(v.gradient)),
            ]
        }
    }

    @Test("Texts beside each other change no bit of each other's gradients")
    func texts() throws {
        let device = Device(threadCount: 2), lengths = [37, 5, 37]
        func gradients(_ times: Int) throws -> [[UInt32]] {
            let names = ["q", "k", "v"], parts = times == 1 ? [37] : lengths
            let variables = try names.map { name in
                let all = try tensor("attention.\(name)")
                let rows = parts.flatMap { all.rows(0..<$0).floats }
                return Variable(
                    try Tensor(rows, shape: [parts.reduce(0, +), all.width]), needsGradient: true)
            }
            let tape = Tape(on: device, memory: TapeMemory())
            var texts: [Range<Int>] = []
            for length in parts {
                let first = texts.last?.upperBound ?? 0
                texts.append(first..<first + length)
            }
            let y = try tape.attention(
                .init(heads: 4, kvHeads: 2, headDim: 20, window: 0, scale: 0.3), q: variables[0], k: variables[1],
                v: variables[2], texts: texts)
            let dy = try tensor("attention.dy")
            y.receive(
                try Tensor(parts.flatMap { dy.rows(0..<$0).floats }, shape: [y.rows, y.width]), on: device)
            try tape.backward()
            return try variables.map {
                let gradient = try #require($0.gradient)
                return gradient.rows(gradient.rowCount - 37..<gradient.rowCount).floats.map(\.bitPattern)
            }
        }
        #expect(try gradients(1) == gradients(3))
    }

    @Test("Rotation is turned back")
    func rotation() throws {
        try check("rotate", ["x"]) { device in
            let frequencies = stride(from: 0, to: 12, by: 2).map { Float(1 / pow(100, Double($0) / 12)) }
            let table = try RotaryTable(inverseFrequencies: frequencies, positions: 8)
            let tape = Tape(on: device, memory: TapeMemory())
            let x = Variable(try value(try variable("rotate.x")), needsGradient: true)
            let y = try tape.rotate(x, heads: 2, positions: [0, 1, 2, 3, 4, 5], table: table), result = try value(y)
            try back(tape, "rotate", y)
            return [("y", result), ("dx", try #require(x.gradient))]
        }
    }

    @Test("Rows of an embedding that come twice have the sum of both gradients")
    func embedding() throws {
        let ids = try integers("embed.ids")
        try check("embed", ["table"]) { device in
            let tape = Tape(on: device, memory: TapeMemory())
            let table = try Parameter("table", try tensor("embed.table"))
            let y = try tape.embed(ids, table), result = try value(y)
            try back(tape, "embed", y)
            return [("y", result), ("dtable", table.gradient)]
        }
    }

    @Test("Cross-entropy of some rows gives PyTorch's losses, and the gradient of their weighted sum")
    func crossEntropy() throws {
        let tokens = try integers("losses.targets"), weights = try tensor("losses.weights").floats
        let targets = zip([0, 2, 3, 5], zip(tokens, weights)).map { Target(row: $0, token: $1.0, weight: $1.1) }
        try check("losses", ["hidden"]) { device in
            let tape = Tape(on: device, memory: TapeMemory()), hidden = try variable("losses.hidden")
            let head = try PackedMatrix(try tensor("losses.head"), on: device)
            let losses = try tape.losses(
                hidden, head: .frozen(head), logitScale: 0.7, targets: targets, addsGradient: true)
            return [("y", try Tensor(losses, shape: [4])), ("dhidden", try #require(hidden.gradient))]
        }
    }

    @Test("A sum gives both parts their gradient, and a part that is used twice has the sum of both")
    func sums() throws {
        let device = Device(threadCount: 1), tape = Tape(on: device, memory: TapeMemory())
        let x = Variable(try Tensor([1, 2], shape: [1, 2]), needsGradient: true)
        let y = Variable(try Tensor([3, 5], shape: [1, 2]), needsGradient: true)
        let once = try tape.sum(x, y, scale: 0.5)
        let twice = try tape.sum(once, y, scale: 2)
        twice.receive(try Tensor([1, -4], shape: [1, 2]), on: device)
        #expect(try twice.value().floats == [8.5, 14.5])
        try tape.backward()
        #expect(x.gradient?.floats == [1, -4])
        #expect(y.gradient?.floats == [2.5, -10])
    }

    @Test("Weights in whole numbers are multiplied as what they stand for", arguments: [8, 4])
    func wholeNumbers(bits: Int) throws {
        let device = Device(threadCount: 2)
        let matrix = try tensor("adapted.w"), format = GroupedFormat(bits: bits)
        let packed = try PackedMatrix(
            try GroupedWeights(quantizing: matrix, to: format, on: device), on: device)
        let rows = try Tensor(zeros: [packed.columns, packed.depth])
        device.gather(packed, ids: (0..<33).map { Int32($0) }, into: rows)
        let layers = try [packed, PackedMatrix(rows, on: device)].map { weight in
            let tape = Tape(on: device, memory: TapeMemory()), x = try variable("adapted.x")
            let y = try tape.linear(x, Linear(weight: weight, bias: nil, number: 0), nil), result = try value(y)
            try back(tape, "adapted", y)
            return [result.floats, try #require(x.gradient).floats]
        }
        #expect(layers[0] == layers[1])
        #expect(layers[0][0] != layers[0][1])
    }

    @Test("Weights in half precision are turned as they are", arguments: [DType.bf16, .f16, .f32])
    func halves(dtype: DType) throws {
        let device = Device(threadCount: 2)
        for (rows, columns) in [(1, 1), (15, 17), (33, 40), (16, 32), (47, 5)] {
            let values = (0..<rows * columns).map { Float($0 % 251) - 125 }
            let wide = try Tensor(values, shape: [rows, columns])
            let matrix = try dtype == .bf16 ? wide.narrowedToBF16() : dtype == .f16 ? wide.narrowedToF16() : wide
            let turned = try device.turned(try PackedMatrix(matrix, on: device))
            #expect(turned.columns == columns && turned.depth == rows && turned.format == .plain(dtype))
            let result = try Tensor(zeros: [columns, rows])
            device.gather(turned, ids: (0..<Int32(columns)).map { $0 }, into: result)
            #expect(try result.floats == wide.transposed().floats, "\(rows) × \(columns)")
        }
    }
}
