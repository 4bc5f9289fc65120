import Foundation

/// The loss that a model of N parameters reaches on D tokens: L(N, D) = ((N_c/N)^(α_N/α_D) + D_c/D)^α_D (Kaplan et al., Scaling
/// Laws for Neural Language Models, arXiv 2001.08361, equation 1.5). With tokens without end it is (N_c/N)^α_N, with
/// parameters without end (D_c/D)^α_D.
package struct ScalingLaw: Sendable, Codable, Hashable {
    /// A run: what it had, and the loss in nats a token that it reached.
    package struct Run: Sendable, Codable, Hashable {
        package var parameters: Double
        package var tokens: Double
        package var loss: Double

        package init(parameters: Double, tokens: Double, loss: Double) {
            (self.parameters, self.tokens, self.loss) = (parameters, tokens, loss)
        }
    }

    package var parametersScale: Double
    package var parametersExponent: Double
    package var tokensScale: Double
    package var tokensExponent: Double

    package init(
        parametersScale: Double, parametersExponent: Double, tokensScale: Double, tokensExponent: Double
    ) {
        (self.parametersScale, self.parametersExponent) = (parametersScale, parametersExponent)
        (self.tokensScale, self.tokensExponent) = (tokensScale, tokensExponent)
    }

    package func loss(parameters: Double, tokens: Double) -> Double {
        exp(logarithm(log(parameters), log(tokens)))
    }

    /// ln L at ln N and ln D.
    private func logarithm(_ n: Double, _ d: Double) -> Double {
        let first = parametersExponent / tokensExponent * (log(parametersScale) - n), second = log(tokensScale) - d
        // ln(eᵃ + eᵇ) without overflow.
        let most = max(first, second)
        return tokensExponent * (most + log(exp(first - most) + exp(second - most)))
    }

    // MARK: The fit

    /// The law with the least sum of squares of ln L's residuals.
    ///
    /// - Throws: `EvaluationError.invalidData` for runs that do not determine it: fewer than five, fewer than two different
    ///   numbers of parameters or of tokens, or figures that are not above 0.
    package init(fitting runs: [Run]) throws(EvaluationError) {
        try Self.check(runs)
        self = Self.fit(runs, from: Self.starts(runs))
    }

    private static func check(_ runs: [Run]) throws(EvaluationError) {
        for (number, run) in runs.enumerated() {
            for (name, value) in [("parameters", run.parameters), ("tokens", run.tokens), ("loss", run.loss)]
            where !(value > 0 && value.isFinite) {
                throw EvaluationError(.invalidData, "run \(number + 1) has \(name) \(value), which must be above 0")
            }
        }
        guard runs.count >= 5, Set(runs.map(\.parameters)).count > 1, Set(runs.map(\.tokens)).count > 1 else {
            throw EvaluationError(
                .invalidData,
                "\(runs.count) runs of \(Set(runs.map(\.parameters)).count) sizes on \(Set(runs.map(\.tokens)).count) numbers of "
                    + "tokens do not determine the four numbers of the law: 5 runs, 2 sizes and 2 numbers of tokens are the least"
            )
        }
    }

    /// Exponents that laws have had, with scales at which each of both terms alone would give the mean loss.
    private static func starts(_ runs: [Run]) -> [ScalingLaw] {
        func mean(_ value: (Run) -> Double) -> Double { runs.reduce(0) { $0 + log(value($1)) } / Double(runs.count) }
        let (n, d, l) = (mean(\.parameters), mean(\.tokens), mean(\.loss))
        let exponents = [0.05, 0.15, 0.4]
        return exponents.flatMap { a in
            exponents.map { b in
                ScalingLaw(
                    parametersScale: exp(n + l / a - log(2) * b / a), parametersExponent: a,
                    tokensScale: exp(d + l / b - log(2)), tokensExponent: b)
            }
        }
    }

    private static func fit(_ runs: [Run], from starts: [ScalingLaw]) -> ScalingLaw {
        let fits = starts.map { LeastSquares.minimize(from: $0.vector) { law in ScalingLaw(law).residuals(runs) } }
        let best = fits.min { $0.sum < $1.sum }
        return best.map { ScalingLaw($0.place) } ?? starts[0]
    }

    /// Numbers above 0 by their logarithms.
    private var vector: [Double] {
        [log(parametersScale), log(parametersExponent), log(tokensScale), log(tokensExponent)]
    }

    private init(_ vector: [Double]) {
        self.init(
            parametersScale: exp(vector[0]), parametersExponent: exp(vector[1]), tokensScale: exp(vector[2]),
            tokensExponent: exp(vector[3]))
    }

    func residuals(_ runs: [Run]) -> [Double] {
        runs.map { log($0.loss) - logarithm(log($0.parameters), log($0.tokens)) }
    }

    // MARK: How sure it is

    /// A law with its confidence intervals.
    package struct Fit: Sendable, Codable {
        package var law: ScalingLaw
        package var parametersScale: Estimate
        package var parametersExponent: Estimate
        package var tokensScale: Estimate
        package var tokensExponent: Estimate
        /// The root of the mean square of ln L's residuals.
        package var residual: Double
    }

    /// Fits, and fits again to losses with residuals drawn again: percentiles of each number. Residuals are drawn with replacement
    /// and scaled for the four numbers that were fitted to them: by √(n / (n − 4)), and by Student's t with n − 4 degrees of
    /// freedom over the normal quantile. Runs themselves are not drawn: few of them lie on the edges that determine the law.
    package static func fit(_ runs: [Run], seed: UInt64, draws: Int = 200) throws(EvaluationError) -> Fit {
        let law = try ScalingLaw(fitting: runs)
        let own = law.residuals(runs), count = runs.count
        let scale = (Double(count) / Double(count - 4)).squareRoot() * StudentsT.quantile(count - 4) / 1.959964
        var laws: [ScalingLaw] = []
        _ = Bootstrap(seed: seed, draws: max(100, draws)).estimate(count: count) { places in
            let moved = zip(runs, places).map { run, place in
                Run(
                    parameters: run.parameters, tokens: run.tokens,
                    loss: law.loss(parameters: run.parameters, tokens: run.tokens) * exp(own[place] * scale))
            }
            laws.append(fit(moved, from: [law]))
            return 0
        }
        func estimate(_ value: (ScalingLaw) -> Double) -> Estimate {
            // The first is of the runs as they are.
            let values = laws.dropFirst().map(value).sorted()
            return Estimate(
                value: value(law), low: Bootstrap.quantile(values, 0.025), high: Bootstrap.quantile(values, 0.975),
                count: count)
        }
        return Fit(
            law: law, parametersScale: estimate(\.parametersScale), parametersExponent: estimate(\.parametersExponent),
            tokensScale: estimate(\.tokensScale), tokensExponent: estimate(\.tokensExponent),
            residual: (own.reduce(0) { $0 + $1 * $1 } / Double(count)).squareRoot())
    }
}
