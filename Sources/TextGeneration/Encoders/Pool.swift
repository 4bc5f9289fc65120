import Tensors
import TextModels

/// One vector of the states of a text's tokens, whatever chunks they come in: rows are added in the order of their
/// positions, in double precision, and rounded once.
struct Pool: Sendable {
    private let modes: [PoolingMode]
    private var count = 0
    private var first: [Float] = []  // [C]
    private var last: [Float] = []  // [C]
    private var largest: [Float] = []  // [C]
    private var sum: [Double] = []  // [C]
    private var weightedSum: [Double] = []  // [C]

    init(_ modes: [PoolingMode]) { self.modes = modes }

    /// - Parameter rows: `[R, C]`, those that follow the ones before.
    mutating func add(_ rows: Tensor) {
        guard rows.rowCount > 0 else { return }
        let c = rows.width, values = rows.floats
        if count == 0 { first = Array(values[..<c]) }
        last = Array(values.suffix(c))
        if modes.contains(.max) {
            if largest.isEmpty { largest = first }
            for (index, value) in values.enumerated() where !(value <= largest[index % c]) {
                largest[index % c] = value
            }
        }
        if modes.contains(.mean) || modes.contains(.meanOfRoot) {
            if sum.isEmpty { sum = [Double](repeating: 0, count: c) }
            for row in 0..<rows.rowCount {
                for column in 0..<c { sum[column] += Double(values[row * c + column]) }
            }
        }
        if modes.contains(.weightedMean) {
            if weightedSum.isEmpty { weightedSum = [Double](repeating: 0, count: c) }
            for row in 0..<rows.rowCount {
                let weight = Double(count + row + 1)
                for column in 0..<c { weightedSum[column] += weight * Double(values[row * c + column]) }
            }
        }
        count += rows.rowCount
    }

    /// The modes' vectors, one after the other: `[modes · C]`.
    var vector: [Float] {
        let tokens = Double(max(count, 1))
        return modes.flatMap { mode in
            switch mode {
            case .first: first
            case .last: last
            case .max: largest
            case .mean: sum.map { Float($0 / tokens) }
            case .meanOfRoot: sum.map { Float($0 / tokens.squareRoot()) }
            case .weightedMean: weightedSum.map { Float($0 / (tokens * (tokens + 1) / 2)) }
            }
        }
    }
}

/// A vector on the unit sphere.
package enum UnitVector {
    /// The first `count` numbers of `vector`, scaled to length 1; all zeros where they are.
    ///
    /// - Parameter count: nil for all.
    package static func scaling(_ vector: [Float], to count: Int? = nil) -> [Float] {
        let kept = vector.prefix(count ?? vector.count)
        let length = kept.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return kept.map { length > 0 ? Float(Double($0) / length) : 0 }
    }
}
