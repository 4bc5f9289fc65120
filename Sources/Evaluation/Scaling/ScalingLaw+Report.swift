import Foundation

extension ScalingLaw.Fit {
    /// The law as a section of a report: its numbers, and measured losses beside the curves of the fewest and the most tokens.
    package func section(_ runs: [ScalingLaw.Run]) -> EvaluationReport.Section {
        let counts = Set(runs.map(\.tokens)).sorted()
        let tokens = counts.count > 1 ? [counts[0], counts[counts.count - 1]] : counts
        let sizes = runs.map(\.parameters), least = sizes.min() ?? 1, most = sizes.max() ?? 1
        // Four times beyond what was measured, in even steps of the logarithm.
        let x = (0...40).map { least * pow(4 * most / least, Double($0) / 40) }
        var curve = EvaluationReport.Curve(
            title: "Loss by parameters; the dotted end was not measured", xTitle: "parameters", yTitle: "nats a token",
            x: x,
            series: tokens.map { tokens in x.map { law.loss(parameters: $0, tokens: tokens) } })
        curve.points = tokens.map { count in
            runs.filter { $0.tokens == count }.map { [$0.parameters, $0.loss] }
        }
        curve.isLogarithmic = true
        curve.measuredEnd = most
        var section = EvaluationReport.Section(
            "Scaling law",
            "L(N, D) = ((N_c/N)^(α_N/α_D) + D_c/D)^α_D (arXiv 2001.08361, equation 1.5), fitted to the logarithms of the losses "
                + "of \(runs.count) runs; intervals by residuals drawn again. What lies beyond the runs is a guess.",
            [
                .init("α_N", unit: "exponent", estimates: [parametersExponent]),
                .init("α_D", unit: "exponent", estimates: [tokensExponent]),
                .init("ln N_c", unit: "logarithm", estimates: [parametersScale.logarithm]),
                .init("ln D_c", unit: "logarithm", estimates: [tokensScale.logarithm]),
            ], curve: curve)
        section.subjects = tokens.map { String(format: "%.3g tokens", $0) }
        return section
    }
}

extension Estimate {
    fileprivate var logarithm: Estimate {
        Estimate(value: log(value), low: low.map { log($0) }, high: high.map { log($0) }, count: count)
    }
}
