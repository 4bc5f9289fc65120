import Foundation
import Testing

@testable import Tensors

private func random(_ count: Int, seed: UInt64) -> [UInt32] {
    let philox = Philox(seed: seed)
    return (0..<count).map { philox.block((UInt32($0), 0, 0, 0)).0 }
}

private func values(_ count: Int, seed: UInt64) -> [Float] {
    // Some groups much larger than others.
    random(count, seed: seed).enumerated().map { (Philox.unit($1) - 0.5) * ($0 / 32 % 3 == 0 ? 40 : 2) }
}

extension BlockMatrix.Format {
    /// Elements and bytes of a block, and where its factors in f16 are.
    fileprivate var layout: (elements: Int, bytes: Int, factors: [Int]) {
        switch self {
        case .q8_0: (32, 34, [0])
        case .q4_0: (32, 18, [0])
        case .q4_K: (256, 144, [0, 2])
        case .q5_K: (256, 176, [0, 2])
        case .q6_K: (256, 210, [208])
        case .q5_0: (32, 22, [0])
        case .iq4_NL: (32, 18, [0])
        case .q4_1: (32, 20, [0, 2])
        case .q5_1: (32, 24, [0, 2])
        case .q2_K: (256, 84, [80, 82])
        case .q3_K: (256, 110, [108])
        case .iq4_XS: (256, 136, [0])
        case .mxfp4: (32, 17, [])
        }
    }

    /// Blocks of any bytes, with factors of either sign and ordinary size.
    ///
    /// - Parameter ones: every bit but those of the factors is one.
    fileprivate func matrix(columns: Int, depth: Int, seed: UInt64, ones: Bool = false) throws -> BlockMatrix {
        let (elements, bytes, factors) = layout
        let rows = try Tensor(zeros: [columns, depth / elements * bytes], dtype: .u8)
        let words = random(rows.count, seed: seed)
        for i in 0..<rows.count {
            var byte = ones ? 0xFF : UInt8(truncatingIfNeeded: words[i])
            if factors.contains(i % bytes - 1) { byte = byte & 0x80 | 0x18 | byte & 7 }
            // An exponent.
            if self == .mxfp4, i % bytes == 0 { byte = 120 + byte % 8 }
            rows.raw.storeBytes(of: byte, toByteOffset: i, as: UInt8.self)
        }
        return BlockMatrix(format: self, depth: depth, rows: rows)
    }
}

@Suite struct BlockMatrixTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    @Test(arguments: BlockMatrix.Format.allCases, [0, 1, 2, 3, 5, 6, 7, 13, 64])
    func `products with blocks equal their scalar reference in every bit`(format: BlockMatrix.Format, rows: Int) throws
    {
        for (columns, depth, isWide) in [(1, 256), (17, 512), (70, 256)].flatMap({
            [($0.0, $0.1, false), ($0.0, $0.1, true)]
        }) {
            let matrix = try format.matrix(columns: columns, depth: depth, seed: 1)
            var x = values(rows * depth, seed: 2)
            if rows == 5 { (x[0], x[1], x[2]) = (.infinity, .nan, Float(bitPattern: 700)) }
            let input = try Tensor(x, shape: [rows, depth])
            let bias = try Tensor(values(columns, seed: 3), shape: [columns])
            let residual = try Tensor(values(rows * columns, seed: 4), shape: [rows, columns])
            let expected = try Tensor(zeros: [rows, columns])
            var packed = try PackedMatrix(matrix, on: scalar)
            packed.hasWideInputs = isWide
            try scalar.matmul(input, packed, bias: bias, residual: residual, into: expected)
            for device in devices {
                let y = try Tensor(zeros: [rows, columns])
                var own = try PackedMatrix(matrix, on: device)
                own.hasWideInputs = isWide
                try device.matmul(input, own, bias: bias, residual: residual, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet) \(columns)×\(depth)")
                for row in 0..<min(rows, 3) {
                    let alone = try Tensor(zeros: [1, columns])
                    try device.matmul(
                        input.rows(row..<row + 1), packed, bias: bias, residual: residual.rows(row..<row + 1),
                        into: alone)
                    #expect(bits(alone) == bits(expected.rows(row..<row + 1)))
                }
            }
        }
    }

    @Test(arguments: BlockMatrix.Format.allCases, [false, true])
    func `the largest whole numbers and many rows equal their scalar reference in every bit`(
        format: BlockMatrix.Format, isWide: Bool
    ) throws {
        let (columns, depth, rows) = (17, 768, 134)
        let signs = random(rows * depth, seed: 12)
        for ones in [true, false] {
            var matrix = try PackedMatrix(
                try format.matrix(columns: columns, depth: depth, seed: 13, ones: ones), on: scalar)
            matrix.hasWideInputs = isWide
            // Every input is the largest of its group; in the first rows of one sign.
            let x = try Tensor(
                (0..<rows * depth).map { $0 < depth ? 1 : $0 < 2 * depth ? -1 : signs[$0] & 1 == 0 ? 2 : -2 },
                shape: [rows, depth])
            let expected = try Tensor(zeros: [rows, columns])
            try scalar.matmul(x, matrix, into: expected)
            for device in devices {
                let y = try Tensor(zeros: [rows, columns])
                try device.matmul(x, matrix, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet), ones \(ones)")
            }
        }
    }

    /// An activation is at most half a step away, a step being that part of its group's largest.
    @Test(arguments: BlockMatrix.Format.allCases, [Float(127), 16_319])
    func `a product is that of the dequantized weights, but for what activations are rounded`(
        format: BlockMatrix.Format, steps: Float
    ) throws {
        let (columns, depth, rows) = (40, 512, 9)
        var packed = try PackedMatrix(try format.matrix(columns: columns, depth: depth, seed: 5), on: scalar)
        packed.hasWideInputs = steps > 127
        let wide = try Tensor(zeros: [columns, depth])
        scalar.gather(packed, ids: (0..<Int32(columns)).map { $0 }, into: wide)
        #expect(wide.floats.contains { $0 > 0 } && wide.floats.contains { $0 < 0 })
        let x = try Tensor(values(rows * depth, seed: 6), shape: [rows, depth])
        let y = try Tensor(zeros: [rows, columns]), exact = try Tensor(zeros: [rows, columns])
        try scalar.matmul(x, packed, into: y)
        try scalar.matmul(x, try PackedMatrix(wide, on: scalar), into: exact)
        let group = format.grouped.group, input = x.floats, w = wide.floats
        for i in 0..<rows * columns {
            let (row, column) = (i / columns * depth, i % columns * depth)
            let bound = (0..<depth).reduce(Float(0)) { sum, k in
                let first = row + k / group * group
                let step = (input[first..<first + group].map { abs($0) }.max() ?? 0) / steps
                return sum + abs(w[column + k]) * step / 2
            }
            // With so fine steps the roundings of the two sums in f32 count too.
            let sums = (0..<depth).reduce(Float(0)) { $0 + abs(w[column + $1] * input[row + $1]) } * 1e-5
            #expect(abs(y[i] - exact[i]) <= bound * 1.001 + (steps > 127 ? sums : 0))
        }
    }

    @Test(arguments: BlockMatrix.Format.allCases)
    func `any outputs can be packed, in any order`(format: BlockMatrix.Format) throws {
        let matrix = try format.matrix(columns: 96, depth: 256, seed: 9)
        let x = try Tensor(values(3 * 256, seed: 10), shape: [3, 256])
        let all = try Tensor(zeros: [3, 96]), part = try Tensor(zeros: [3, 20]), turned = try Tensor(zeros: [3, 96])
        try scalar.matmul(x, try PackedMatrix(matrix, on: scalar), into: all)
        try scalar.matmul(x, try PackedMatrix(matrix, outputs: 50..<70, on: scalar), into: part)
        let order = (0..<96).map { ($0 * 5 + 7) % 96 }
        try scalar.matmul(x, try PackedMatrix(try matrix.reordered(order), on: scalar), into: turned)
        for row in 0..<3 {
            let own = Array(all.floats[row * 96..<row * 96 + 96])
            #expect(Array(part.floats[row * 20..<row * 20 + 20]) == Array(own[50..<70]))
            #expect(Array(turned.floats[row * 96..<row * 96 + 96]) == order.map { own[$0] })
        }
    }

    @Test func `panels take hardly more than the file`() throws {
        let sizes: [BlockMatrix.Format: Double] = [
            .q8_0: 9, .q4_0: 5, .q4_K: 4.625, .q5_K: 5.625, .q6_K: 6.625, .q5_0: 9, .iq4_NL: 9,
            .q4_1: 6, .q5_1: 7, .q2_K: 5.125, .q3_K: 4.625, .iq4_XS: 9, .mxfp4: 9,
        ]
        for format in BlockMatrix.Format.allCases {
            let packed = try PackedMatrix(try format.matrix(columns: 64, depth: 512, seed: 11), on: scalar)
            #expect(Double(packed.byteCount * 8) / Double(packed.count) == sizes[format], "\(format)")
        }
    }

    private struct Golden: Decodable {
        var block: [UInt8]
        var values: [Float]
    }

    /// Of each type some blocks of any bytes, and what gguf's own dequantiser makes of them; make_block_goldens.py says how.
    @Test(arguments: BlockMatrix.Format.allCases)
    func `a block holds what ggml puts there`(format: BlockMatrix.Format) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Goldens/blocks.json")
        let goldens = try JSONDecoder().decode([String: [Golden]].self, from: Data(contentsOf: path))
        let own = try #require(goldens["\(format)".lowercased()])
        #expect(own.count == 4)
        for golden in own {
            let rows = try Tensor(zeros: [1, golden.block.count], dtype: .u8)
            for (index, byte) in golden.block.enumerated() {
                rows.raw.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            }
            let depth = golden.values.count
            let packed = try PackedMatrix(BlockMatrix(format: format, depth: depth, rows: rows), on: scalar)
            let wide = try Tensor(zeros: [1, depth])
            scalar.gather(packed, ids: [0], into: wide)
            #expect(wide.floats == golden.values)
        }
    }
}
