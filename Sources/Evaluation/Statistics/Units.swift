import Foundation

/// What was counted of each unit (a window, a sample, a fact), so that a sum over units is a measure.
package struct Units: Sendable {
    package var numerators: [Double]
    package var denominators: [Double]

    package init(_ numerators: [Double], over denominators: [Double]) {
        precondition(numerators.count == denominators.count, "\(numerators.count) of \(denominators.count)")
        (self.numerators, self.denominators) = (numerators, denominators)
    }

    /// Units that weigh the same.
    package init(_ values: [Double]) { self.init(values, over: values.map { _ in 1 }) }

    func ratio(_ places: [Int]) -> Double {
        var above = 0.0, below = 0.0
        for place in places {
            above += numerators[place]
            below += denominators[place]
        }
        return above / below
    }
}

extension Bootstrap {
    /// A measure of one or two models, and the difference of the second from the first.
    ///
    /// - Parameters:
    ///   - isPaired: whether unit i of both is the same text: then both are drawn together, and what is hard for both cancels.
    ///   - isShare: whether units are 0 or 1 each: then estimates have Wilson's interval.
    ///   - transform: what the ratio becomes.
    package func measure(
        _ name: String, unit: String? = nil, better: EvaluationReport.Direction? = nil, chance: Double? = nil,
        _ models: [Units], isPaired: Bool, isShare: Bool = false, _ transform: (Double) -> Double = { $0 }
    ) -> EvaluationReport.Measure {
        let estimates: [Estimate?] = models.map { units in
            guard !units.numerators.isEmpty else { return nil }
            // What is drawn again from nothing but zeros would be sure of itself without reason.
            if isShare { return Estimate(share: units.numerators) }
            return estimate(count: units.numerators.count) { transform(units.ratio($0)) }
        }
        return .init(
            name, unit: unit, better: better, chance: chance, estimates: estimates,
            difference: difference(models, isPaired: isPaired, transform))
    }

    private func difference(_ models: [Units], isPaired: Bool, isShare: Bool = false, _ transform: (Double) -> Double)
        -> Estimate?
    {
        guard models.count == 2, models.allSatisfy({ !$0.numerators.isEmpty }) else { return nil }
        let (a, b) = (models[0], models[1]), (first, second) = (a.numerators.count, b.numerators.count)
        if isPaired {
            precondition(first == second, "pairs of \(first) and \(second) units")
            return estimate(count: first) { transform(b.ratio($0)) - transform(a.ratio($0)) }
        }
        // Each drawn from its own: the first `first` places are of one, the others of the other.
        var estimate = Estimate(
            value: transform(b.ratio(Array(0..<second))) - transform(a.ratio(Array(0..<first))),
            count: min(first, second))
        guard first > 1, second > 1 else { return estimate }
        var (ones, others): ([Double], [Double]) = ([], [])
        _ = self.estimate(count: first) { places in
            ones.append(transform(a.ratio(places)))
            return 0
        }
        _ = Bootstrap(seed: seed &+ 1, draws: draws).estimate(count: second) { places in
            others.append(transform(b.ratio(places)))
            return 0
        }
        let values = zip(ones, others).map { $1 - $0 }.dropFirst().sorted()
        estimate.low = Self.quantile(values, 0.025)
        estimate.high = Self.quantile(values, 0.975)
        return estimate
    }
}
