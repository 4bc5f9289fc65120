/// Levenberg and Marquardt's method (Marquardt, 1963), with differences for derivatives.
enum LeastSquares {
    /// - Parameter residuals: of a place; as many at each.
    /// - Returns: the place of a local minimum of the sum of squares.
    static func minimize(
        from start: [Double], _ residuals: ([Double]) -> [Double]
    ) -> (place: [Double], sum: Double) {
        var place = start, values = residuals(start), sum = square(values), damping = 1e-3
        for _ in 0..<500 {
            let slopes = place.indices.map { index -> [Double] in
                let step = 1e-6 * max(1, abs(place[index]))
                var up = place, down = place
                up[index] += step
                down[index] -= step
                return zip(residuals(up), residuals(down)).map { ($0 - $1) / (2 * step) }
            }
            let gradient = slopes.map { dot($0, values) }
            var isBetter = false
            while damping < 1e12 {
                let normal = slopes.indices.map { row in
                    slopes.indices.map { column in
                        dot(slopes[row], slopes[column]) * (row == column ? 1 + damping : 1)
                    }
                }
                guard let step = solve(normal, gradient) else {
                    damping *= 4
                    continue
                }
                let next = zip(place, step).map { $0 - $1 }, nextValues = residuals(next), nextSum = square(nextValues)
                if nextSum < sum {
                    let gain = (sum - nextSum) / sum
                    (place, values, sum, damping) = (next, nextValues, nextSum, max(damping / 9, 1e-12))
                    isBetter = gain > 1e-14
                    break
                }
                damping *= 4
            }
            guard isBetter, sum > 0 else { break }
        }
        return (place, sum)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    private static func square(_ a: [Double]) -> Double {
        let sum = dot(a, a)
        return sum.isFinite ? sum : .infinity
    }

    /// Gauss's elimination with pivots; nil of a matrix that has no inverse.
    private static func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
        var rows = zip(matrix, right).map { $0 + [$1] }
        let count = rows.count
        for column in 0..<count {
            guard let pivot = (column..<count).max(by: { abs(rows[$0][column]) < abs(rows[$1][column]) }),
                abs(rows[pivot][column]) > 1e-300
            else { return nil }
            rows.swapAt(column, pivot)
            for row in column + 1..<count {
                let factor = rows[row][column] / rows[column][column]
                for place in column...count { rows[row][place] -= factor * rows[column][place] }
            }
        }
        var solution = [Double](repeating: 0, count: count)
        for row in stride(from: count - 1, through: 0, by: -1) {
            var value = rows[row][count]
            for place in row + 1..<count { value -= rows[row][place] * solution[place] }
            solution[row] = value / rows[row][row]
        }
        return solution.allSatisfy(\.isFinite) ? solution : nil
    }
}
