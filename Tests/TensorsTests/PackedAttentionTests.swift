import Testing

@testable import Tensors

@Suite struct PackedAttentionTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)
    private let lengths = [1, 2, 15, 16, 17, 23, 24, 25, 130, 300]

    private func rows(_ lengths: [Int]) -> PackedRows {
        var rows = PackedRows()
        for length in lengths { rows.append(rows: length) }
        return rows
    }

    private func tensor(_ rows: Int, _ width: Int, _ seed: UInt64, special: Bool = false) throws -> Tensor {
        try Tensor(hostile(rows * width, seed: seed, special: special), shape: [rows, width])
    }

    private func bias(_ heads: Int) throws -> DistanceBias {
        try DistanceBias(heads: heads, reach: 512) { head, distance in Float(head + 1) * Float(distance % 7) / 3 }
    }

    @Test(arguments: [2, 6, 16, 32, 40], [0, 1, 9, 140])
    func `attention within texts is softmax(q kᵀ) v over the keys that a query sees`(dim: Int, window: Int) throws {
        let rows = rows(lengths), heads = 3, width = heads * dim
        let q = try tensor(rows.count, width, 31), k = try tensor(rows.count, width, 32)
        let v = try tensor(rows.count, width, 33), y = try Tensor(zeros: [rows.count, width]), bias = try bias(heads)
        try Device(threadCount: 2).packedAttention(
            q: q, k: k, v: v, rows: rows, heads: heads, scale: 0.3, window: window, bias: bias, into: y)
        for text in rows.texts {
            for i in text where i % 5 == 0 || i == text.upperBound - 1 {
                let seen = text.filter { window == 0 || abs($0 - i) <= window }
                for head in 0..<heads {
                    let scores = seen.map { j in
                        (0..<dim).reduce(0.0) {
                            $0 + Double(q[i * width + head * dim + $1]) * Double(k[j * width + head * dim + $1])
                        } * 0.3 + Double(Float(head + 1) * Float((j - i) % 7) / 3)
                    }
                    let most = scores.max() ?? 0, weights = scores.map { exponential($0 - most) }
                    let sum = weights.reduce(0, +)
                    for d in [0, dim - 1] {
                        let place = head * dim + d
                        let expected = zip(seen, weights).reduce(0.0) { $0 + Double(v[$1.0 * width + place]) * $1.1 }
                        #expect(abs(Double(y[i * width + place]) - expected / sum) < 1e-4)
                    }
                }
            }
        }
    }

    @Test(arguments: [2, 17, 32], [0, 1, 20])
    func `it equals its scalar reference in every bit`(dim: Int, window: Int) throws {
        for special in [false, true] { try compare(dim: dim, window: window, special: special) }
    }

    private func compare(dim: Int, window: Int, special: Bool) throws {
        let rows = rows(lengths), heads = 2, width = heads * dim
        let q = try tensor(rows.count, width, 34, special: special)
        let k = try tensor(rows.count, width, 35, special: special), v = try tensor(rows.count, width, 36)
        for bias in [nil, try bias(heads)] {
            let expected = try Tensor(zeros: [rows.count, width])
            try scalar.packedAttention(
                q: q, k: k, v: v, rows: rows, heads: heads, scale: 0.3, window: window, bias: bias, into: expected)
            for device in devices {
                let y = try Tensor(zeros: [rows.count, width])
                try device.packedAttention(
                    q: q, k: k, v: v, rows: rows, heads: heads, scale: 0.3, window: window, bias: bias, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            }
        }
    }

    @Test(arguments: [0, 30]) func `a text has the same bits alone`(window: Int) throws {
        let packed = rows(lengths), heads = 2, width = heads * 32, device = Device(threadCount: 2)
        let q = try tensor(packed.count, width, 37), k = try tensor(packed.count, width, 38)
        let y = try Tensor(zeros: [packed.count, width])
        try device.packedAttention(q: q, k: k, v: q, rows: packed, heads: heads, scale: 1, window: window, into: y)
        for text in packed.texts {
            let alone = try Tensor(zeros: [text.count, width])
            try device.packedAttention(
                q: q.rows(text), k: k.rows(text), v: q.rows(text), rows: rows([text.count]), heads: heads, scale: 1,
                window: window, into: alone)
            #expect(bits(alone) == bits(y.rows(text)))
        }
    }
}
