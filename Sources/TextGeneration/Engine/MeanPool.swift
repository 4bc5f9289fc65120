import Tensors

/// The mean of hidden states, whatever chunks they come in: rows are added in the order of their positions, in double
/// precision, and rounded once.
struct MeanPool: Sendable {
    private var sum: [Double] = []  // [C]
    private var count = 0

    /// - Parameter rows: `[R, C]`, those that follow the ones before.
    mutating func add(_ rows: Tensor) {
        if sum.isEmpty { sum = [Double](repeating: 0, count: rows.width) }
        let values = rows.floats
        for row in 0..<rows.rowCount {
            for column in sum.indices { sum[column] += Double(values[row * sum.count + column]) }
        }
        count += rows.rowCount
    }

    /// `[C]`.
    var mean: [Float] { sum.map { Float($0 / Double(max(count, 1))) } }
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
