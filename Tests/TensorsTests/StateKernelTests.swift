import Foundation
import Tensors
import Testing

/// Convolutions and delta rules with a state: the bits of the scalar kernels on every instruction set, and those of
/// single rows, however passes cut a sequence and whatever of it is taken back.
@Suite struct StateKernelTests {
    struct Extents: Sendable, CustomTestStringConvertible {
        var keyHeads, valueHeads, keyDim, valueDim, taps: Int
        var testDescription: String { "\(keyHeads)·\(keyDim), \(valueHeads)·\(valueDim), \(taps) taps" }

        var shape: StateShape {
            var shape = StateShape(layers: 2, taps: taps, channels: keyHeads * keyDim)
            (shape.keyHeads, shape.valueHeads, shape.keyDim, shape.valueDim) = (keyHeads, valueHeads, keyDim, valueDim)
            return shape
        }
    }

    private static let extents = [
        Extents(keyHeads: 2, valueHeads: 4, keyDim: 24, valueDim: 16, taps: 4),
        Extents(keyHeads: 1, valueHeads: 1, keyDim: 256, valueDim: 64, taps: 2),
        Extents(keyHeads: 3, valueHeads: 3, keyDim: 7, valueDim: 80, taps: 3),
        Extents(keyHeads: 1, valueHeads: 2, keyDim: 128, valueDim: 128, taps: 16),
    ]

    private static func values(_ count: Int, _ seed: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { scale * Float(sin(Double($0 * 37 + seed * 101) * 0.7123)) }
    }

    /// The rows of one sequence, as a layer of a model would make them.
    fileprivate struct Rows {
        let extents: Extents
        let q, k, v, decay, beta, weights: [Float]

        init(_ e: Extents, count: Int) {
            extents = e
            // Keys of length 1, about.
            let scale = (2 / Float(e.keyDim)).squareRoot()
            q = values(count * e.keyHeads * e.keyDim, 1, scale: scale)
            k = values(count * e.keyHeads * e.keyDim, 2, scale: scale)
            v = values(count * e.valueHeads * e.valueDim, 3)
            decay = values(count * e.valueHeads, 4).map { 0.75 + 0.25 * $0 }
            beta = values(count * e.valueHeads, 5).map { 0.5 + 0.5 * $0 }
            weights = values(e.taps * e.keyHeads * e.keyDim, 6)
        }

        func tensor(_ values: [Float], _ width: Int, _ rows: Range<Int>) throws -> Tensor {
            try Tensor(Array(values[rows.lowerBound * width..<rows.upperBound * width]), shape: [rows.count, width])
        }
    }

    /// What a pass over some rows brings: convolved keys and the delta rule's rows.
    private func pass(
        _ rows: Rows, _ range: Range<Int>, _ use: StateUse, _ states: StateStorage, on device: Device
    ) throws -> [[Float]] {
        let e = rows.extents, keys = e.keyHeads * e.keyDim, values = e.valueHeads * e.valueDim
        var own = StateRows()
        own.append(0..<range.count, use)
        let convolved = try Tensor(zeros: [range.count, keys]), y = try Tensor(zeros: [range.count, values])
        device.shortConvolution(
            try rows.tensor(rows.k, keys, range), channels: 0..<keys,
            weights: try Tensor(rows.weights, shape: [e.taps, keys]), bias: nil, rows: own, states: states, layer: 1,
            into: convolved)
        device.deltaRule(
            q: try rows.tensor(rows.q, keys, range), k: try rows.tensor(rows.k, keys, range),
            v: try rows.tensor(rows.v, values, range), decay: try rows.tensor(rows.decay, e.valueHeads, range),
            beta: try rows.tensor(rows.beta, e.valueHeads, range), rows: own, states: states, layer: 1, into: y)
        return (0..<range.count).map {
            convolved.rows($0..<$0 + 1).floats + y.rows($0..<$0 + 1).floats
        }
    }

    @Test(arguments: extents)
    func `a sequence in one pass is what its rows are one by one, on every instruction set`(extents: Extents) throws {
        let count = 23, rows = Rows(extents, count: count)
        let scalar = Device(threadCount: 1, instructionSet: .scalar), device = Device(threadCount: 2)
        func states() throws -> StateStorage { try StateStorage(extents.shape, sequences: 1, logRows: 4) }
        let whole = try pass(rows, 0..<count, .init(slot: 0, source: nil, taken: count), states(), on: scalar)
        for device in devices + [scalar, device] {
            #expect(try pass(rows, 0..<count, .init(slot: 0, source: nil, taken: count), states(), on: device) == whole)
            let storage = try states()
            for row in 0..<count {
                let use = StateUse(slot: 0, source: row == 0 ? nil : 0, taken: 1)
                #expect(try pass(rows, row..<row + 1, use, storage, on: device)[0] == whole[row])
            }
        }
        // In double precision, straight from the definition.
        let expected = reference(rows, count: count)
        for (row, values) in expected.enumerated() {
            #expect(zip(whole[row], values).allSatisfy { abs(Double($0) - $1) < 1e-4 * (1 + abs($1)) })
        }
    }

    @Test(arguments: extents)
    func `what is taken back was never there, and a checkpoint is where another goes on`(extents: Extents) throws {
        let count = 40, rows = Rows(extents, count: count), device = Device(threadCount: 2)
        let fresh = try StateStorage(extents.shape, sequences: 1)
        let whole = try pass(rows, 0..<count, .init(slot: 0, source: nil, taken: count), fresh, on: device)
        let storage = try StateStorage(extents.shape, sequences: 2, checkpoints: 1, logRows: 4)
        // Passes of a sure row and drafts, of which so many turn out right; the wrong ones are rows from elsewhere.
        var position = 0, logged = 0
        for (drafts, right) in [(4, 4), (4, 0), (3, 2), (0, 0), (4, 1), (1, 1), (4, 4), (4, 3)] {
            let start = position, right = min(right, count - 1 - start)
            let own = start..<start + 1 + right, wrong = 0..<drafts - right
            let range = Array(own) + Array(wrong)
            let mixed = rows.picking(range)
            let use = StateUse(slot: 1, source: start == 0 ? nil : 1, logged: logged, taken: 1)
            let brought = try pass(mixed, 0..<range.count, use, storage, on: device)
            #expect(Array(brought[...right]) == Array(whole[own]))
            (position, logged) = (start + 1 + right, right)
        }
        #expect(position < count)
        let rest = StateUse(
            slot: 1, source: 1, logged: logged, taken: count - position, checkpoint: .init(slot: 2, rows: 3))
        #expect(try pass(rows, position..<count, rest, storage, on: device) == Array(whole[position...]))
        let other = StateUse(slot: 0, source: 2, taken: count - position - 3)
        #expect(try pass(rows, position + 3..<count, other, storage, on: device) == Array(whole[(position + 3)...]))
    }

    private func reference(_ rows: Rows, count: Int) -> [[Double]] {
        let e = rows.extents, keys = e.keyHeads * e.keyDim, values = e.valueHeads * e.valueDim
        var state = Array(repeating: 0.0, count: e.valueHeads * e.keyDim * e.valueDim)
        var all: [[Double]] = []
        for t in 0..<count {
            var out = (0..<keys).map { c in
                (0..<e.taps).reduce(0.0) { sum, j in
                    let row = t - e.taps + 1 + j
                    return row < 0 ? sum : sum + Double(rows.weights[j * keys + c]) * Double(rows.k[row * keys + c])
                }
            }
            for h in 0..<e.valueHeads {
                let key = t * keys + h / (e.valueHeads / e.keyHeads) * e.keyDim
                let (decay, beta) = (Double(rows.decay[t * e.valueHeads + h]), Double(rows.beta[t * e.valueHeads + h]))
                for j in 0..<e.valueDim {
                    func place(_ i: Int) -> Int { (h * e.keyDim + i) * e.valueDim + j }
                    var known = 0.0, sum = 0.0
                    for i in 0..<e.keyDim {
                        state[place(i)] *= decay
                        known += Double(rows.k[key + i]) * state[place(i)]
                    }
                    let delta = beta * (Double(rows.v[t * values + h * e.valueDim + j]) - known)
                    for i in 0..<e.keyDim {
                        state[place(i)] += Double(rows.k[key + i]) * delta
                        sum += Double(rows.q[key + i]) * state[place(i)]
                    }
                    out.append(sum)
                }
            }
            all.append(out)
        }
        return all
    }
}

extension StateKernelTests.Rows {
    fileprivate func picking(_ rows: [Int]) -> Self {
        let e = extents, keys = e.keyHeads * e.keyDim
        func pick(_ values: [Float], _ width: Int) -> [Float] {
            rows.flatMap { values[$0 * width..<($0 + 1) * width] }
        }
        return Self(
            extents: e, q: pick(q, keys), k: pick(k, keys), v: pick(v, e.valueHeads * e.valueDim),
            decay: pick(decay, e.valueHeads), beta: pick(beta, e.valueHeads), weights: weights)
    }

    private init(
        extents: StateKernelTests.Extents, q: [Float], k: [Float], v: [Float], decay: [Float], beta: [Float],
        weights: [Float]
    ) {
        (self.extents, self.q, self.k, self.v) = (extents, q, k, v)
        (self.decay, self.beta, self.weights) = (decay, beta, weights)
    }
}
