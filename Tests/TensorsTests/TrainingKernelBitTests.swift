import Testing

@testable import Tensors

/// Kernels of training on every instruction set, with one thread and with three, at awkward sizes and on hostile values: the
/// bits are those of the scalar code.
struct TrainingKernelBitTests {
    private static let hostile: [Float] = [
        0, -0.0, 1, -1, 0x1p-140, -0x1p-140, 3e38, -3e38, .infinity, -.infinity, .nan, 88.8, -103.5, 0.624, 20.5, 1e-20,
    ]

    private static let devices = Device.InstructionSet.available.flatMap { set in
        [1, 3].map { Device(threadCount: $0, instructionSet: set) }
    }

    /// Numbers of a simple generator; of `isHostile` ones every seventh is chosen to hurt.
    private func tensor(_ rows: Int, _ width: Int, _ seed: Int, isHostile: Bool = false) throws -> Tensor {
        var state = UInt64(truncatingIfNeeded: seed &* 7_919 &+ 17)
        let values = (0..<rows * width).map { i -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if isHostile, i % 7 == 3 { return Self.hostile[Int(state >> 33) % Self.hostile.count] }
            return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-29
        }
        return try Tensor(values, shape: [rows, width])
    }

    /// The bits of what each device makes are those of the first, the scalar one; all NaNs are one.
    private func expectSame(_ what: String, _ compute: (Device) throws -> [Tensor]) throws {
        func bits(_ tensor: Tensor) -> [UInt32] {
            tensor.floats.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
        }
        let expected = try compute(Self.devices[0]).map(bits)
        for device in Self.devices.dropFirst() {
            let own = try compute(device).map(bits)
            #expect(own == expected, "\(what) with \(device.instructionSet), \(device.threadCount) threads")
        }
    }

    private static let sizes = [(0, 5), (1, 1), (3, 15), (5, 16), (6, 17), (7, 31), (13, 33), (40, 64)]

    @Test("Outer products", arguments: [false, true])
    func outer(isHostile: Bool) throws {
        for (depth, columns) in Self.sizes {
            for rows in [1, 5, 6, 7, 12, 20] {
                try expectSame("[\(depth), \(rows)] by \(columns)") { device in
                    let y = try tensor(rows, columns, 3)
                    let a = try tensor(depth, rows, 1, isHostile: isHostile)
                    let b = try tensor(depth, columns, 2, isHostile: isHostile)
                    device.outerProduct(a, b, accumulates: true, into: y)
                    let fresh = try Tensor(zeros: [rows, columns])
                    device.outerProduct(a, b, into: fresh)
                    return [y, fresh]
                }
            }
        }
    }

    @Test("Gradients of norms", arguments: [false, true])
    func norms(isHostile: Bool) throws {
        for (rows, width) in Self.sizes {
            for isCentered in [false, true] {
                try expectSame("[\(rows), \(width)]") { device in
                    let x = try tensor(rows, width, 1, isHostile: isHostile), dy = try tensor(rows, width, 2)
                    let weight = try tensor(1, width, 3), dx = try tensor(rows, width, 4)
                    let statistics = try device.normGradient(
                        of: x, weight: weight, .init(epsilon: 1e-5, isCentered: isCentered), dy: dy, accumulates: true,
                        into: dx)
                    let (dw, db) = (try tensor(1, width, 5), try tensor(1, width, 6))
                    device.addNormWeightGradient(of: x, statistics: statistics, dy: dy, to: dw, bias: db)
                    let alone = try Tensor(zeros: [rows, width])
                    _ = try device.normGradient(
                        of: x, weight: nil, .init(epsilon: 1e-5, isCentered: isCentered), dy: dy, into: alone)
                    return [dx, dw, db, alone]
                }
            }
        }
    }

    @Test("Slopes of activations", arguments: [false, true])
    func slopes(isHostile: Bool) throws {
        let activations: [Device.Activation] = [
            .exp, .tanh, .silu, .geluTanh, .geluErf, .geluQuick, .relu, .identity, .sigmoid,
        ]
        for activation in activations {
            for count in [0, 1, 15, 16, 17, 33, 20_000] {
                try expectSame("\(activation) of \(count)") { device in
                    let x = try tensor(1, count, 1, isHostile: isHostile), dy = try tensor(1, count, 2)
                    let factor = try tensor(1, count, 3), (dx, own) = (try tensor(1, count, 4), try tensor(1, count, 5))
                    device.mapGradient(activation, of: x, times: factor, dy: dy, into: dx, factorGradient: own)
                    device.mapGradient(activation, of: x, dy: dy, into: dy)
                    return [dx, own, dy]
                }
            }
        }
    }

    @Test("Attention of one text and its gradients", arguments: [false, true])
    func attention(isHostile: Bool) throws {
        let cases = [
            (1, 1, 1, 1, 0), (5, 2, 1, 8, 0), (6, 2, 2, 16, 3), (17, 3, 1, 17, 1), (40, 4, 2, 20, 16),
            (300, 2, 1, 33, 40),
        ]
        for (rows, heads, kvHeads, dim, window) in cases {
            try expectSame("\(rows) rows, \(heads) heads of \(dim)") { device in
                let q = try tensor(rows, heads * dim, 1, isHostile: isHostile), dy = try tensor(rows, heads * dim, 2)
                let k = try tensor(rows, kvHeads * dim, 3), v = try tensor(rows, kvHeads * dim, 4)
                let y = try Tensor(zeros: [rows, heads * dim]), sums = try Tensor(zeros: [heads, rows])
                let dq = try Tensor(zeros: [rows, heads * dim])
                let (dk, dv) = (try Tensor(zeros: [rows, kvHeads * dim]), try Tensor(zeros: [rows, kvHeads * dim]))
                let kind = Device.TextAttention(
                    heads: heads, kvHeads: kvHeads, headDim: dim, window: window, scale: 0.05)
                try device.textAttention(kind, q: q, k: k, v: v, into: y, logSums: sums)
                try device.textAttentionGradients(
                    kind, q: q, k: k, v: v, y: y, logSums: sums, dy: dy, into: dq, dk, dv)
                return [y, sums, dq, dk, dv]
            }
        }
    }

    @Test("Cross-entropy, squares and the optimizer's step", arguments: [false, true])
    func losses(isHostile: Bool) throws {
        for width in [1, 15, 16, 17, 33, 5_000] {
            try expectSame("\(width)") { device in
                let logits = try tensor(4, width, 1, isHostile: isHostile)
                let targets = [0, width - 1, width / 2, 0].map { Int32($0) }
                let losses = device.crossEntropy(logits, targets: targets, weights: [1, 0.5, -2, 0])
                let x = try tensor(1, 3 * width, 2, isHostile: isHostile)
                let square = device.sumOfSquares(x)
                let tensors = try (0..<4).map { try tensor(1, width, $0 + 3, isHostile: isHostile && $0 == 0) }
                device.scale(tensors[3], by: 0, into: tensors[3])
                device.adamW(
                    .init(
                        number: 3, gradientScale: 0.3, learningRate: 0.1, weightDecay: 0.2, beta1: 0.9, beta2: 0.99,
                        epsilon: 1e-8), gradient: tensors[0], parameters: tensors[1], momentum: tensors[2],
                    variance: tensors[3])
                return [logits, try Tensor(losses + [Float(square)], shape: [5])] + tensors
            }
        }
    }

    @Test("Rows that are scattered, and heads that are turned back")
    func scatter() throws {
        for (rows, width) in Self.sizes where rows > 0 {
            try expectSame("[\(rows), \(width)]") { device in
                let table = try tensor(5, width, 1), x = try tensor(rows, width, 2)
                device.scatterRows(x, ids: (0..<rows).map { Int32($0 * 3 % 5) }, to: table)
                return [table]
            }
        }
    }
}
