import CKernels
import Testing

@testable import Tensors

private let philox = Philox(seed: 31)

private func random(_ i: Int, _ salt: UInt32 = 0) -> UInt32 { philox.block((UInt32(i), salt, 0, 0)).0 }

private func floats(_ count: Int, _ salt: UInt32) -> [Float] {
    (0..<count).map { (Philox.unit(random($0, salt)) - 0.5) * ($0 % 7 == 0 ? 40 : 2) }
}

/// What a code of E4M3 stands for, by its definition.
private func value(e4m3 code: UInt8) -> Float {
    let exponent = Int(code >> 3 & 15), mantissa = Float(code & 7)
    let magnitude =
        exponent == 0
        ? mantissa / 8 * Float(sign: .plus, exponent: -6, significand: 1)
        : Float(sign: .plus, exponent: exponent - 7, significand: 1 + mantissa / 8)
    return code & 0x80 == 0 ? magnitude : -magnitude
}

private let table: [Float] = (0..<16).map { Float($0) * 0.37 - 2.9 }

private func weights(_ format: CodedFormat, columns: Int, depth: Int) throws -> CodedWeights {
    let codes = (0..<columns * depth).map { i in
        let byte = UInt8(truncatingIfNeeded: random(i, 1))
        // Without the codes of NaN.
        return format.codes == .table ? byte & 15 : byte & 0x7F == 0x7F ? byte & 0x80 : byte
    }
    return CodedWeights(
        format, codes: try Tensor(u8: codes, shape: [columns, depth]),
        scales: try Tensor(floats(columns * format.groups(depth), 2), shape: [columns, format.groups(depth)]),
        table: format.codes == .table ? table : [])
}

private let formats = [
    CodedFormat(.e4m3, group: 128), CodedFormat(.e4m3, group: 48), CodedFormat(.table, group: 64),
    CodedFormat(.table, group: 16),
]

@Suite struct CodedMatrixTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    @Test(arguments: formats) func `rows that are gathered are scale times value, rounded once`(format: CodedFormat)
        throws
    {
        for (columns, depth) in [(1, 1), (17, 100), (40, 256)] {
            let weights = try weights(format, columns: columns, depth: depth)
            let y = try Tensor(zeros: [columns, depth])
            scalar.gather(try PackedMatrix(weights, on: scalar), ids: (0..<Int32(columns)).map { $0 }, into: y)
            let (codes, groups) = (weights.codes.bytes, format.groups(depth))
            for i in 0..<columns * depth {
                let scale = weights.scales[i / depth * groups + i % depth / format.group]
                let value = format.codes == .table ? table[Int(codes[i])] : value(e4m3: codes[i])
                #expect(y[i] == scale * value)
            }
        }
    }

    @Test func `all codes of E4M3 are known`() throws {
        let codes = (0..<256).map { UInt8($0) }.filter { $0 & 0x7F != 0x7F }
        let weights = CodedWeights(
            CodedFormat(.e4m3, group: 128), codes: try Tensor(u8: codes, shape: [codes.count, 1]),
            scales: try Tensor(Array(repeating: 1, count: codes.count), shape: [codes.count, 1]))
        for device in devices + [scalar] {
            let y = try Tensor(zeros: [1, codes.count])
            try device.matmul(try Tensor([1], shape: [1, 1]), try PackedMatrix(weights, on: device), into: y)
            #expect(y.floats == codes.map(value(e4m3:)))
        }
    }

    @Test(arguments: formats, [0, 1, 2, 3, 4, 5, 6, 7, 13])
    func `products of codes equal their scalar reference in every bit`(format: CodedFormat, rows: Int) throws {
        for (columns, depth) in [(1, 1), (15, 63), (17, 64), (100, 200), (64, 512)] {
            let weights = try weights(format, columns: columns, depth: depth)
            var x = floats(rows * depth, 3)
            if rows == 5 { (x[0], x[1], x[2]) = (.infinity, .nan, Float(bitPattern: 700)) }
            let input = try Tensor(x, shape: [rows, depth])
            let bias = try Tensor(floats(columns, 4), shape: [columns])
            let residual = try Tensor(floats(rows * columns, 5), shape: [rows, columns])
            let expected = try Tensor(zeros: [rows, columns])
            try scalar.matmul(
                input, try PackedMatrix(weights, on: scalar), bias: bias, residual: residual, into: expected)
            for device in devices {
                let y = try Tensor(zeros: [rows, columns])
                let packed = try PackedMatrix(weights, on: device)
                try device.matmul(input, packed, bias: bias, residual: residual, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet) \(columns)×\(depth)")
                let plain = try PackedMatrix(
                    try Tensor(floats(columns * depth, 6), shape: [columns, depth]), on: device)
                let (z, u, v) = (
                    try Tensor(zeros: [rows, columns]), try Tensor(zeros: [rows, columns]),
                    try Tensor(zeros: [rows, columns])
                )
                try device.matmul(
                    input, Device.Product(plain, into: z),
                    Device.Product(packed, bias: bias, residual: residual, into: u))
                try device.matmul(input, plain, into: v)
                #expect(bits(u) == bits(expected) && bits(z) == bits(v))
            }
            // And stand for the product of the values, in f64.
            guard rows > 0, rows != 5 else { continue }
            let dense = try Tensor(zeros: [columns, depth])
            scalar.gather(try PackedMatrix(weights, on: scalar), ids: (0..<Int32(columns)).map { $0 }, into: dense)
            for n in 0..<columns {
                var (sum, size) = (0.0, 1e-6)
                for k in 0..<depth {
                    let term = Double(x[k]) * Double(dense[n * depth + k])
                    (sum, size) = (sum + term, size + abs(term))
                }
                let y = Double(expected[n]) - Double(bias[n]) - Double(residual[n])
                #expect(abs(y - sum) <= 1e-5 * (size + Double(abs(bias[n]) + abs(residual[n]))))
            }
        }
    }
}

@Suite struct ZeroPointMatrixTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    private func weights(_ format: GroupedFormat, columns: Int, depth: Int, order: Tensor?) throws -> GroupedWeights {
        let groups = format.groups(depth), width = groups * format.group
        let most = UInt32(1 << format.bits) - 1
        let values = (0..<columns * width).map { $0 % width < depth ? UInt8(random($0, 7) & most) : 0 }
        let scales = floats(columns * groups, 8)
        return GroupedWeights(
            format, depth: depth, values: try Tensor(u8: values, shape: [columns, width]),
            scales: try Tensor(scales, shape: [columns, groups]),
            minimums: try Tensor(scales.map { $0 * 5 }, shape: [columns, groups]), inputOrder: order)
    }

    @Test(
        arguments: [(4, 32), (4, 64), (8, 32), (8, 64)].map { GroupedFormat.minimums(bits: $0.0, group: $0.1) },
        [false, true])
    func `with minimums and inputs in any order, products are those of the scalar reference in every bit`(
        format: GroupedFormat, isWide: Bool
    ) throws {
        for (columns, depth, isOrdered) in [(1, 1, false), (17, 64, true), (100, 256, true), (33, 200, false)] {
            let order = try Tensor(int32s: (0..<Int32(depth)).map { ($0 * 37 + 11) % Int32(depth) })
            let weights = try weights(format, columns: columns, depth: depth, order: isOrdered ? order : nil)
            let dense = try Tensor(zeros: [columns, depth])
            scalar.gather(try PackedMatrix(weights, on: scalar), ids: (0..<Int32(columns)).map { $0 }, into: dense)
            let groups = format.groups(depth), bytes = weights.values.bytes
            for n in 0..<columns {
                for p in 0..<depth {
                    let k = isOrdered ? Int(order.int32s[p]) : p
                    let scale = weights.scales[n * groups + p / format.group]
                    let minimum = try #require(weights.minimums)[n * groups + p / format.group]
                    #expect(
                        dense[n * depth + k] == scale * Float(bytes[n * groups * format.group + p]) - minimum)
                }
            }
            for rows in [1, 2, 4, 7] {
                let x = try Tensor(floats(rows * depth, 9), shape: [rows, depth])
                let expected = try Tensor(zeros: [rows, columns])
                var packed = try PackedMatrix(weights, on: scalar)
                packed.hasWideInputs = isWide
                try scalar.matmul(x, packed, into: expected)
                for device in devices {
                    let y = try Tensor(zeros: [rows, columns]), z = try Tensor(zeros: [rows, columns])
                    let u = try Tensor(zeros: [rows, columns])
                    // Beside one of the same groups whose inputs stand as they are.
                    var other = try PackedMatrix(
                        try self.weights(format, columns: columns, depth: depth, order: nil), on: device)
                    other.hasWideInputs = isWide
                    try device.matmul(x, Device.Product(other, into: z), Device.Product(packed, into: y))
                    try scalar.matmul(x, other, into: u)
                    #expect(bits(y) == bits(expected) && bits(z) == bits(u), "\(device.instructionSet) \(rows) rows")
                }
                guard isWide else { continue }
                for n in 0..<columns {
                    var (sum, size) = (0.0, 0.0)
                    for k in 0..<depth {
                        let term = Double(x[k]) * Double(dense[n * depth + k])
                        (sum, size) = (sum + term, size + abs(term))
                    }
                    // A row's rounding is a 32,000th of its group's largest.
                    #expect(abs(Double(expected[n]) - sum) <= 2e-3 * size + 1e-4)
                }
            }
        }
    }
}
