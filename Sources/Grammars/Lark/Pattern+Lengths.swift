extension Pattern {
    /// How short and how long a match can be, in scalars; `Int.max` without end.
    var lengths: (min: Int, max: Int) {
        switch self {
        case .empty, .start, .end, .lookahead: (0, 0)
        case .scalars: (1, 1)
        case .sequence(let parts):
            parts.reduce((0, 0)) { sum, part in
                let own = part.lengths
                return (sum.0.addingClamped(own.min), sum.1.addingClamped(own.max))
            }
        case .choice(let parts):
            (parts.map(\.lengths.min).min() ?? 0, parts.map(\.lengths.max).max() ?? 0)
        case .repeated(let part, let min, let max), .reluctant(let part, let min, let max):
            (
                part.lengths.min.multipliedClamped(by: min),
                max.map { part.lengths.max.multipliedClamped(by: $0) } ?? (part.lengths.max == 0 ? 0 : Int.max)
            )
        }
    }
}

extension Int {
    fileprivate func addingClamped(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }

    fileprivate func multipliedClamped(by other: Int) -> Int {
        let (product, isOver) = multipliedReportingOverflow(by: other)
        return isOver ? .max : product
    }
}
