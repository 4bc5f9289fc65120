import CKernels
import Testing

@testable import Tensors

@Suite struct KernelBitTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    @Test(arguments: [0, 1, 2, 3, 5, 6, 7, 13, 64], [1, 15, 16, 17, 70])
    func `the matrix product equals its scalar reference in every bit`(rows: Int, columns: Int) throws {
        for depth in [1, 15, 48] {
            let x = try Tensor(hostile(rows * depth, seed: 1, special: rows == 5), shape: [rows, depth])
            let w = try Tensor(hostile(columns * depth, seed: 2, special: false), shape: [columns, depth])
            let bias = try Tensor(hostile(columns, seed: 3, special: false), shape: [columns])
            let residual = try Tensor(hostile(rows * columns, seed: 4), shape: [rows, columns])
            let expected = try Tensor(zeros: [rows, columns])
            try scalar.matmul(
                x, try PackedMatrix(w, on: scalar), bias: bias, residual: residual, into: expected)
            for device in devices {
                let y = try Tensor(zeros: [rows, columns])
                try device.matmul(x, try PackedMatrix(w, on: device), bias: bias, residual: residual, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            }
        }
    }

    @Test(arguments: [DType.bf16, .f16], [0, 1, 2, 3, 6, 7, 13, 64])
    func `a product with narrow weights has the bits of one with the same values in f32`(
        dtype: DType, rows: Int
    ) throws {
        for (depth, columns) in [(1, 1), (15, 16), (48, 17), (100, 70)] {
            let x = try Tensor(hostile(rows * depth, seed: 11, special: rows == 6), shape: [rows, depth])
            let narrow = try Tensor(zeros: [columns, depth], dtype: dtype)
            let philox = Philox(seed: 12)
            for i in 0..<narrow.count {
                // Any bits but NaN's, whose payload instruction sets are free to change: an exponent of all ones.
                let word = UInt16(truncatingIfNeeded: philox.block((UInt32(i), 0, 0, 0)).0)
                let exponent: UInt16 = dtype == .bf16 ? 0x7F80 : 0x7C00
                narrow.raw.storeBytes(
                    of: word & exponent == exponent ? word & 0x80FF : word, toByteOffset: 2 * i, as: UInt16.self)
            }
            let wide = try narrow.widened()
            let expected = try Tensor(zeros: [rows, columns])
            try scalar.matmul(x, try PackedMatrix(wide, on: scalar), into: expected)
            let ids = (0..<Int32(columns)).map { $0 }
            for device in devices + [scalar] {
                let packed = try PackedMatrix(narrow, on: device)
                #expect(packed.format == .plain(dtype) && packed.byteCount == (columns + 15) / 16 * 16 * depth * 2)
                let y = try Tensor(zeros: [rows, columns])
                try device.matmul(x, packed, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
                let rowsOfTable = try Tensor(zeros: [columns, depth])
                device.gather(packed, ids: ids, into: rowsOfTable)
                #expect(bits(rowsOfTable) == bits(wide))
            }
        }
    }

    @Test func `a row's product does not depend on the rows beside it`() throws {
        let depth = 100, columns = 50
        let device = Device(threadCount: 2)
        let w = try PackedMatrix(
            try Tensor(hostile(columns * depth, seed: 5, special: false), shape: [columns, depth]), on: device)
        let x = try Tensor(hostile(64 * depth, seed: 6, special: false), shape: [64, depth])
        let all = try Tensor(zeros: [64, columns])
        try device.matmul(x, w, into: all)
        for range in [0..<1, 3..<5, 7..<10, 20..<31, 0..<63] {
            let part = try Tensor(zeros: [range.count, columns])
            try device.matmul(x.rows(range), w, into: part)
            #expect(bits(part) == bits(all.rows(range)))
        }
    }

    @Test(arguments: [1, 8, 15, 16, 17, 33, 100])
    func `norms equal their scalar reference in every bit`(width: Int) throws {
        let x = try Tensor(hostile(3 * width, seed: 7, special: false), shape: [3, width])
        let weight = try Tensor(hostile(width, seed: 8, special: false), shape: [width])
        let expected = try Tensor(zeros: [3, width]), y = try Tensor(zeros: [3, width])
        for device in devices {
            scalar.layerNorm(x, weight: weight, bias: weight, epsilon: 1e-5, into: expected)
            device.layerNorm(x, weight: weight, bias: weight, epsilon: 1e-5, into: y)
            #expect(bits(y) == bits(expected))
            scalar.rmsNorm(x, weight: weight, epsilon: 1e-5, into: expected)
            device.rmsNorm(x, weight: weight, epsilon: 1e-5, into: y)
            #expect(bits(y) == bits(expected))
        }
    }

    @Test(
        arguments: [Device.Activation.exp, .tanh, .silu, .geluTanh, .geluErf, .geluQuick, .relu, .identity],
        [0, 1, 15, 16, 17, 1_000])
    func `activations equal their scalar reference in every bit`(activation: Device.Activation, count: Int) throws {
        let x = try Tensor(hostile(count, seed: 9), shape: [count])
        let factor = try Tensor(hostile(count, seed: 10), shape: [count])
        let expected = try Tensor(zeros: [count]), y = try Tensor(zeros: [count])
        for device in devices {
            scalar.map(activation, x, times: factor, into: expected)
            device.map(activation, x, times: factor, into: y)
            #expect(bits(y) == bits(expected), "\(activation) by \(device.instructionSet)")
            scalar.map(activation, x, times: factor, limit: 0.75, into: expected)
            device.map(activation, x, times: factor, limit: 0.75, into: y)
            #expect(bits(y) == bits(expected), "limited \(activation) by \(device.instructionSet)")
        }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1_000])
    func `soft-capping equals its scalar reference in every bit and stays within the cap`(count: Int) throws {
        let x = try Tensor(hostile(count, seed: 13), shape: [count])
        let expected = try Tensor(zeros: [count]), y = try Tensor(zeros: [count])
        for cap: Float in [0.3, 2, 50] {
            for device in devices {
                scalar.softCap(x, cap: cap, into: expected)
                device.softCap(x, cap: cap, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            }
            for (x, y) in zip(x.floats, y.floats) where !x.isNaN {
                #expect(abs(Double(y) - Double(cap) * hyperbolicTangent(Double(x / cap))) <= 3e-7 * Double(cap))
                #expect(abs(y) <= cap)
            }
        }
    }

    @Test(arguments: [1, 15, 16, 17, 70], [1, 2, 8])
    func `mixed rows equal their scalar reference in every bit`(width: Int, count: Int) throws {
        let x = try Tensor(hostile(9 * width, seed: 20), shape: [9, width])
        let residual = try Tensor(hostile(5 * width, seed: 21, special: false), shape: [5, width])
        let indices = (0..<5 * count).map { Int32(($0 * 7 + 3) % 9) }
        let weights = hostile(5 * count, seed: 22, special: false)
        for device in devices {
            for residual in [nil, residual] {
                let expected = try Tensor(zeros: [5, width]), y = try Tensor(zeros: [5, width])
                scalar.mixRows(
                    of: x, indices: indices, weights: weights, count: count, residual: residual,
                    into: expected)
                device.mixRows(
                    of: x, indices: indices, weights: weights, count: count, residual: residual, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            }
        }
    }

    @Test(arguments: [4, 16, 24], [0, 15, 31, 33, 700])
    func `soft-capped attention within a window equals its scalar reference in every bit`(
        headDim: Int, position: Int
    ) throws {
        let count = position + 1, pages = (0..<Int32((count + 31) / 32)).map { $0 }
        let q = try Tensor(hostile(count * 2 * headDim, seed: 14, special: false), shape: [count, 2 * headDim])
        let k = try Tensor(hostile(count * headDim, seed: 15, special: false), shape: [count, headDim])
        var rows = AttentionRows()
        rows.append(positions: 0..<count, pages: pages)
        let sinks = try Tensor([0.5, -3], shape: [2])
        func attend(_ device: Device, window: Int, softCap: Float, sinks: Tensor? = nil) throws -> Tensor {
            let cache = try KVStorage(pageCount: pages.count, layers: [KVExtents(heads: 1, headDim: headDim)])
            let y = try Tensor(zeros: q.shape)
            device.attention(
                queries: q, keys: k, values: k, rows: rows, cache: cache, layer: 0, scale: 0.5, window: window,
                softCap: softCap, sinks: sinks, into: y)
            return y
        }
        for window in [1, 17, 32, 600] {
            let expected = bits(try attend(scalar, window: window, softCap: 3))
            for device in devices {
                #expect(bits(try attend(device, window: window, softCap: 3)) == expected, "\(device.instructionSet)")
                let sunk = bits(try attend(scalar, window: window, softCap: 0, sinks: sinks))
                #expect(bits(try attend(device, window: window, softCap: 0, sinks: sinks)) == sunk)
            }
        }
        // A cap far above every score changes next to nothing, one below it a lot.
        let plain = try attend(scalar, window: 0, softCap: 0).floats
        let loose = try attend(scalar, window: 0, softCap: 1e6).floats
        #expect(zip(plain, loose).allSatisfy { abs($0 - $1) < 1e-3 })
        if position > 0 {
            let tight = try attend(scalar, window: 0, softCap: 0.1).floats
            #expect(zip(plain, tight).contains { abs($0 - $1) > 0.1 })
        }
    }

    @Test(arguments: CachePrecision.allCases)
    func `values that are a part of the keys are those values, and another layer's can be read`(
        precision: CachePrecision
    ) throws {
        let count = 70, (headDim, valueDim) = (40, 24), pages: [Int32] = [2, 0, 1]
        let q = try Tensor(hostile(count * 3 * headDim, seed: 16, special: false), shape: [count, 3 * headDim])
        let k = try Tensor(hostile(count * headDim, seed: 17, special: false), shape: [count, headDim])
        var rows = AttentionRows()
        rows.append(positions: 0..<count, pages: pages)
        var outputs: [[UInt32]] = []
        for device in [scalar] + devices {
            let extents = [
                KVExtents(heads: 2, headDim: 8), KVExtents(heads: 1, headDim: headDim, valueDim: valueDim),
                KVExtents(heads: 1, headDim: headDim),
            ]
            let cache = try KVStorage(pageCount: 3, layers: extents, precision: precision)
            let part = try Tensor(zeros: [count, 3 * valueDim]), whole = try Tensor(zeros: q.shape)
            let again = try Tensor(zeros: q.shape)
            device.attention(
                queries: q, keys: k, values: nil, rows: rows, cache: cache, layer: 1, scale: 0.3, into: part)
            device.attention(
                queries: q, keys: k, values: k, rows: rows, cache: cache, layer: 2, scale: 0.3, into: whole)
            device.attention(
                queries: q, keys: nil, values: nil, rows: rows, cache: cache, layer: 2, scale: 0.3, into: again)
            #expect(bits(again) == bits(whole))
            for row in 0..<count * 3 {
                let own = part.floats[row * valueDim..<(row + 1) * valueDim].map(\.bitPattern)
                #expect(own == whole.floats[row * headDim..<row * headDim + valueDim].map(\.bitPattern))
            }
            outputs.append(bits(part))
        }
        #expect(Set(outputs).count == 1)
    }

    @Test(arguments: [1, 4, 8, 16, 24, 64, 80], [0, 31, 32, 511, 512, 1_300])
    func `attention equals its scalar reference in every bit`(headDim: Int, position: Int) throws {
        for precision in CachePrecision.allCases { try attention(headDim, position, precision) }
    }

    private func attention(_ headDim: Int, _ position: Int, _ precision: CachePrecision) throws {
        let heads = 4, kvHeads = 2, count = position + 1
        let pages = (0..<Int32((count + 31) / 32)).reversed().map { $0 }
        var outputs: [[UInt32]] = []
        for device in [scalar] + devices {
            let cache = try KVStorage(
                pageCount: pages.count, layers: [KVExtents(heads: kvHeads, headDim: headDim)], precision: precision)
            var rows = AttentionRows()
            rows.append(positions: 0..<count, pages: pages)
            let q = try Tensor(
                hostile(count * heads * headDim, seed: 11, special: false), shape: [count, heads * headDim])
            let k = try Tensor(
                hostile(count * kvHeads * headDim, seed: 12, special: false), shape: [count, kvHeads * headDim])
            let y = try Tensor(zeros: q.shape)
            // All rows at 1,300 positions would take the scalar reference a while: the last few do.
            if count > 64 {
                let fill = try Tensor(zeros: q.shape)
                var early = AttentionRows()
                early.append(positions: 0..<count, pages: pages)
                device.attention(
                    queries: q, keys: k, values: k, rows: early, cache: cache, layer: 0, scale: 0.25, window: 1,
                    into: fill)
                var last = AttentionRows()
                last.append(positions: count - 2..<count, pages: pages)
                device.attention(
                    queries: q.rows(count - 2..<count), keys: k.rows(count - 2..<count),
                    values: k.rows(count - 2..<count),
                    rows: last, cache: cache, layer: 0, scale: 0.25, into: y.rows(0..<2))
            } else {
                device.attention(
                    queries: q, keys: k, values: k, rows: rows, cache: cache, layer: 0, scale: 0.25, into: y)
            }
            outputs.append(bits(y))
        }
        #expect(outputs.dropFirst().allSatisfy { $0 == outputs[0] })
    }

    @Test(arguments: [1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 1_000])
    func `the largest element and its place equal the scalar reference's`(count: Int) {
        for seed in 0..<40 as Range<UInt64> {
            // Few different values, so that the largest stands in several places; or all of them ruled out.
            let x = hostile(count, seed: seed).map { seed % 4 == 0 ? -.infinity : seed % 4 == 1 ? .nan : $0.rounded() }
            for set in Device.InstructionSet.available {
                #expect(
                    nephele_argmax_f32(set.isa, x, count) == nephele_argmax_f32(NEPHELE_ISA_SCALAR, x, count), "\(set)")
                #expect(nephele_max_f32(set.isa, x, count) == nephele_max_f32(NEPHELE_ISA_SCALAR, x, count), "\(set)")
            }
        }
        let ascending = (0..<count).map { Float($0) }
        #expect(nephele_argmax_f32(Device.InstructionSet.detected.isa, ascending, count) == count - 1)
    }

    @Test func `elements are changed on all threads, each once`() {
        for device in devices {
            var numbers = Array(0..<100)
            let indices = Array(stride(from: 99, through: 0, by: -3))
            let results = device.update(&numbers, at: indices) { number, place in
                number += 1_000
                return "\(number)/\(place)"
            }
            #expect(numbers == (0..<100).map { $0 % 3 == 0 ? $0 + 1_000 : $0 })
            #expect(results == indices.enumerated().map { "\($1 + 1_000)/\($0)" })
        }
    }

    @Test func `attention agrees with its definition`() throws {
        // softmax(q k^T / 2) v by hand, in double precision.
        let e: [Float] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]
        let x = try Tensor(e, shape: [3, 4])
        let y = try Tensor(zeros: [3, 4])
        Device(threadCount: 1).fullAttention(q: x, k: x, v: x, heads: 1, scale: 0.5, into: y)
        for i in 0..<3 {
            let scores = (0..<3).map { j in (0..<4).reduce(0.0) { $0 + Double(e[i * 4 + $1] * e[j * 4 + $1]) } / 2 }
            let weights = scores.map { exponential($0) }
            let sum = weights.reduce(0, +)
            for d in 0..<4 {
                let expected = (0..<3).reduce(0.0) { $0 + weights[$1] / sum * Double(e[$1 * 4 + d]) }
                #expect(abs(Double(y[i * 4 + d]) - expected) < 1e-6)
            }
        }
    }

    @Test func `elementary functions are close to the C library's`() throws {
        let x = (0..<4_000).map { Float($0 - 2_000) / 100 }
        let input = try Tensor(x, shape: [x.count]), y = try Tensor(zeros: [x.count])
        let device = Device(threadCount: 1)
        device.map(.tanh, input, into: y)
        #expect(zip(x, y.floats).allSatisfy { abs(Double($1) - hyperbolicTangent(Double($0))) < 3e-7 })
        device.map(.exp, input, into: y)
        #expect(zip(x, y.floats).allSatisfy { abs(Double($1) / exponential(Double($0)) - 1) < 3e-7 })
        device.map(.geluErf, input, into: y)
        #expect(zip(x, y.floats).allSatisfy { abs(Double($1) - gelu(Double($0))) < 4e-6 })
    }

    @Test func `half precision widens exactly`() throws {
        let halves: [UInt16] = [0, 0x8000, 0x3C00, 0xC000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0x3555]
        var wide = [Float](repeating: 0, count: halves.count)
        nephele_widen_f16(halves, halves.count, &wide)
        let expected: [Float] = [0, -0.0, 1, -2, 0x1p-24, -0x1.FF8p-15, 65_504, .infinity, 0.333251953125]
        #expect(zip(wide, expected).allSatisfy { $0.bitPattern == $1.bitPattern }, "\(wide)")
    }

    @Test func `Philox gives the published test vectors`() {
        // Random123's kat_vectors for philox4x32-10.
        #expect(Philox(seed: 0).block((0, 0, 0, 0)) == (0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
        let all = UInt32.max
        #expect(Philox(seed: .max).block((all, all, all, all)) == (0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
        let pi = Philox(seed: 0x299F_31D0_A409_3822)
        #expect(
            pi.block((0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344))
                == (0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
    }
}
