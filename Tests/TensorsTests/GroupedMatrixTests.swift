import CKernels
import Testing

@testable import Tensors

private func values(_ count: Int, seed: UInt64) -> [Float] {
    let philox = Philox(seed: seed)
    return (0..<count).map { i in
        let word = philox.block((UInt32(i), 0, 0, 0))
        // Some groups much larger than others.
        return (Philox.unit(word.0) - 0.5) * (i / 64 % 3 == 0 ? 40 : 2)
    }
}

private let formats = [
    GroupedFormat(bits: 8), GroupedFormat(bits: 4), GroupedFormat(bits: 8, group: 32),
    GroupedFormat(bits: 8, group: 16),
    GroupedFormat(bits: 4, group: 32),
]

/// What the weights stand for, in f32.
private func dequantized(_ weights: GroupedWeights) -> [Float] {
    let format = weights.format, groups = format.groups(weights.depth)
    return (0..<weights.columns).flatMap { column in
        (0..<weights.depth).map { k in
            let group = column * groups + k / format.group
            let q = weights.values.i8[column * groups * format.group + k]
            return weights.scales[group] * Float(q)
        }
    }
}

@Suite struct GroupedMatrixTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    @Test(arguments: [0, 1, 2, 7, 13])
    func `several products of the same rows have the bits of each alone`(rows: Int) throws {
        let depth = 200
        let input = try Tensor(values(rows * depth, seed: 2), shape: [rows, depth])
        var matrices: [PackedMatrix] = []
        for (index, columns) in [100, 17, 1, 64, 33, 160, 20, 9, 70].enumerated() {
            let w = try Tensor(values(columns * depth, seed: UInt64(10 + index)), shape: [columns, depth])
            guard index % 3 > 0 else {
                matrices.append(try PackedMatrix(w, on: scalar))
                continue
            }
            var grouped = try PackedMatrix(
                GroupedWeights(
                    quantizing: w, to: index < 6 ? formats[index % formats.count] : formats[0], on: scalar),
                on: scalar)
            grouped.hasWideInputs = index % 2 == 0
            matrices.append(grouped)
        }
        let bias = try Tensor(values(17, seed: 3), shape: [17])
        for device in devices + [scalar] {
            var products: [Device.Product] = []
            for (index, matrix) in matrices.enumerated() {
                let y = try Tensor(zeros: [rows, matrix.columns])
                products.append(Device.Product(matrix, bias: index == 1 ? bias : nil, into: y))
            }
            for first in stride(from: 0, to: products.count, by: 3) {
                try device.matmul(input, products[first], products[first + 1], products[first + 2])
            }
            for (index, matrix) in matrices.enumerated() {
                let alone = try Tensor(zeros: [rows, matrix.columns])
                try scalar.matmul(input, matrix, bias: index == 1 ? bias : nil, into: alone)
                #expect(bits(products[index].y) == bits(alone), "\(device.instructionSet), product \(index)")
            }
        }
    }

    @Test(arguments: [PackedMatrix.Format.plain(.f32), .grouped(GroupedFormat(bits: 4))], [false, true])
    func `segments of rows have the bits of products of their own`(format: PackedMatrix.Format, isWide: Bool) throws {
        let (depth, columns, rows) = (100, 35, 12)
        let x = try Tensor(values(rows * depth, seed: 2), shape: [rows, depth])
        let bias = try Tensor(values(columns, seed: 3), shape: [columns])
        let matrices = try (0..<3).map { index in
            let w = try Tensor(values(columns * depth, seed: UInt64(30 + index)), shape: [columns, depth])
            guard case .grouped(let format) = format else { return try PackedMatrix(w, on: scalar) }
            var matrix = try PackedMatrix(GroupedWeights(quantizing: w, to: format, on: scalar), on: scalar)
            matrix.hasWideInputs = isWide
            return matrix
        }
        let spans = [0..<1, 1..<8, 8..<12]
        for device in devices + [scalar] {
            let y = try Tensor(zeros: [rows, columns]), z = try Tensor(zeros: [rows, columns])
            try device.matmul(
                x,
                segments: zip(spans, matrices).flatMap {
                    [.init(rows: $0, $1, bias: bias, into: y), .init(rows: $0, matrices[0], into: z)]
                })
            for (rows, matrix) in zip(spans, matrices) {
                let alone = try Tensor(zeros: [rows.count, columns]), first = try Tensor(zeros: [rows.count, columns])
                try scalar.matmul(x.rows(rows), matrix, bias: bias, into: alone)
                try scalar.matmul(x.rows(rows), matrices[0], into: first)
                #expect(bits(y.rows(rows)) == bits(alone) && bits(z.rows(rows)) == bits(first))
            }
        }
    }

    @Test(arguments: formats, [0, 1, 2, 3, 5, 6, 7, 13, 64])
    func `products in groups equal their scalar reference in every bit`(format: GroupedFormat, rows: Int) throws {
        for (columns, depth, isWide) in [(1, 1), (15, 63), (17, 64), (100, 200)].flatMap({
            [($0.0, $0.1, false), ($0.0, $0.1, true)]
        }) {
            let w = try Tensor(values(columns * depth, seed: 1), shape: [columns, depth])
            let weights = try GroupedWeights(quantizing: w, to: format, on: scalar)
            var x = values(rows * depth, seed: 2)
            if rows == 5 { (x[0], x[1], x[2]) = (.infinity, .nan, Float(bitPattern: 700)) }
            let input = try Tensor(x, shape: [rows, depth])
            let bias = try Tensor(values(columns, seed: 3), shape: [columns])
            let residual = try Tensor(values(rows * columns, seed: 4), shape: [rows, columns])
            let expected = try Tensor(zeros: [rows, columns])
            var packed = try PackedMatrix(weights, on: scalar)
            packed.hasWideInputs = isWide
            try scalar.matmul(input, packed, bias: bias, residual: residual, into: expected)
            for device in devices {
                var own = try PackedMatrix(weights, on: device)
                own.hasWideInputs = isWide
                let y = try Tensor(zeros: [rows, columns])
                try device.matmul(input, own, bias: bias, residual: residual, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet) \(columns)×\(depth)")
                for row in 0..<min(rows, 3) {
                    let alone = try Tensor(zeros: [1, columns])
                    try device.matmul(
                        input.rows(row..<row + 1), own, bias: bias, residual: residual.rows(row..<row + 1), into: alone)
                    #expect(bits(alone) == bits(expected.rows(row..<row + 1)))
                }
            }
        }
    }

    @Test(arguments: formats) func `rows can be gathered, and stand for the nearest values`(format: GroupedFormat)
        throws
    {
        let (columns, depth) = (35, 150)
        let w = values(columns * depth, seed: 8)
        let weights = try GroupedWeights(
            quantizing: try Tensor(w, shape: [columns, depth]), to: format, on: scalar)
        let y = try Tensor(zeros: [columns, depth])
        scalar.gather(try PackedMatrix(weights, on: scalar), ids: (0..<Int32(columns)).map { $0 }, into: y)
        #expect(y.floats == dequantized(weights))
        for column in 0..<columns {
            for start in stride(from: 0, to: depth, by: format.group) {
                let range = column * depth + start..<column * depth + min(start + format.group, depth)
                let largest = w[range].map { abs($0) }.max() ?? 0
                let step = format.bits == 8 ? largest / 127 : largest / 7
                for i in range { #expect(abs(y[i] - w[i]) <= step * (format.bits == 8 ? 0.5001 : 1.1)) }
            }
        }
    }

    @Test(arguments: formats) func `of weights in groups any outputs can be packed`(format: GroupedFormat) throws {
        let weights = try GroupedWeights(
            quantizing: try Tensor(values(96 * 64, seed: 9), shape: [96, 64]), to: format, on: scalar)
        let x = try Tensor(values(3 * 64, seed: 10), shape: [3, 64])
        let all = try Tensor(zeros: [3, 96]), part = try Tensor(zeros: [3, 20])
        try scalar.matmul(x, try PackedMatrix(weights, on: scalar), into: all)
        try scalar.matmul(x, try PackedMatrix(weights, outputs: 50..<70, on: scalar), into: part)
        for row in 0..<3 {
            #expect(Array(part.floats[row * 20..<row * 20 + 20]) == Array(all.floats[row * 96 + 50..<row * 96 + 70]))
        }
    }

    @Test(arguments: [8, 4]) func `what is stored comes back, and what does not fit is refused`(bits: Int) throws {
        let weights = try GroupedWeights(
            quantizing: try Tensor(values(20 * 100, seed: 11), shape: [20, 100]), to: GroupedFormat(bits: bits),
            on: scalar)
        let stored = try weights.stored()
        let back = try GroupedWeights(stored: stored, scales: weights.scales, columns: 20, depth: 100, name: "w")
        #expect(dequantized(back) == dequantized(weights) && back.format == weights.format)
        for (columns, depth) in [(21, 100), (20, 129), (20, 64)] {
            #expect(throws: TensorError.self) {
                try GroupedWeights(stored: stored, scales: weights.scales, columns: columns, depth: depth, name: "w")
            }
        }
    }

    @Test func `narrowing to f16 is to the nearest, ties to even`() throws {
        let cases: [(Float, UInt16)] = [
            (0, 0), (-0.0, 0x8000), (1, 0x3C00), (65_504, 0x7BFF), (65_519.996, 0x7BFF), (65_520, 0x7C00),
            (-.infinity, 0xFC00), (Float(bitPattern: 0x3380_0000), 1), (Float(bitPattern: 0x3300_0000), 0),
            (Float(bitPattern: 0x3300_0001), 1), (Float(bitPattern: 0x3880_0000), 0x0400),
            (Float(bitPattern: 0x387F_C000), 0x03FF), (1.00048828125, 0x3C00), (1.00146484375, 0x3C02),
            (Float(bitPattern: 0x387F_E000), 0x0400),
        ]
        let narrow = try Tensor(cases.map(\.0), shape: [cases.count]).narrowedToF16()
        for (i, (value, expected)) in cases.enumerated() {
            #expect(narrow.raw.load(fromByteOffset: 2 * i, as: UInt16.self) == expected, "\(value)")
        }
        // Every half comes back from f32.
        let all = try Tensor(zeros: [1 << 16], dtype: .f16)
        for i in 0..<1 << 16 { all.raw.storeBytes(of: UInt16(i), toByteOffset: 2 * i, as: UInt16.self) }
        let round = try all.widened().narrowedToF16()
        for i in 0..<1 << 16 where i & 0x7C00 != 0x7C00 || i & 0x3FF == 0 {
            #expect(round.raw.load(fromByteOffset: 2 * i, as: UInt16.self) == UInt16(i))
        }
    }
}
