extension Tensor {
    /// Adds to each row of an f32 tensor `[R, N]` the vector `[N]`, or its product with that row of `other` `[R, N]`.
    package func addToRows(_ vector: Tensor, times other: Tensor? = nil) {
        precondition(
            vector.count == width && other.map { $0.count == count } ?? true,
            "\(vector.shape) with \(other?.shape ?? []) to rows of \(shape)")
        defer { withExtendedLifetime((vector.storage, other?.storage)) {} }
        let (y, v) = (f32, vector.f32)
        for row in 0..<rowCount {
            let first = row * width
            if let factors = other?.f32 {
                for n in 0..<width { y[first + n] += v[n] * factors[first + n] }
            } else {
                for n in 0..<width { y[first + n] += v[n] }
            }
        }
    }

    /// Puts the columns of `other` `[R, n]` in the place of the chosen ones.
    package func replaceColumns(_ indices: [Int], with other: Tensor) {
        precondition(
            other.width == indices.count && other.rowCount == rowCount && indices.allSatisfy { $0 >= 0 && $0 < width },
            "columns of \(other.shape) into \(shape)")
        for row in 0..<rowCount {
            for (column, index) in indices.enumerated() {
                self[row * width + index] = other[row * other.width + column]
            }
        }
    }
}
