import Foundation
import Testing

@testable import Evaluation

/// Laws of losses by parameters and tokens.
struct ScalingTests {
    private let golden: Goldens.Scaling
    private let runs: [ScalingLaw.Run]

    init() throws {
        golden = try Goldens.read().scaling
        runs = golden.runs.map { .init(parameters: $0[0], tokens: $0[1], loss: $0[2]) }
    }

    private func numbers(_ law: ScalingLaw) -> [Double] {
        [law.parametersScale, law.parametersExponent, law.tokensScale, law.tokensExponent]
    }

    @Test("The fit is scipy's")
    func fit() throws {
        let law = try ScalingLaw(fitting: runs)
        for (own, golden) in zip(numbers(law), golden.law) { #expect(isNear(own / golden, 1, 1e-4)) }
        let sum = law.residuals(runs).reduce(0) { $0 + $1 * $1 }
        #expect(isNear(sum / golden.sum, 1, 1e-6))
    }

    @Test("Student's quantiles are scipy's")
    func quantiles() {
        // scipy.stats.t.ppf(0.975, [1, 8, 11, 20, 100])
        for (freedom, golden) in [(1, 12.7062), (8, 2.3060), (11, 2.20099), (20, 2.08596), (100, 1.98397)] {
            #expect(isNear(StudentsT.quantile(freedom), golden, 3e-4))
        }
    }

    @Test("Losses without noise give the law back, and its limits are power laws")
    func exact() throws {
        let truth = ScalingLaw(
            parametersScale: golden.truth[0], parametersExponent: golden.truth[1], tokensScale: golden.truth[2],
            tokensExponent: golden.truth[3])
        let exact = runs.map {
            ScalingLaw.Run(
                parameters: $0.parameters, tokens: $0.tokens,
                loss: truth.loss(parameters: $0.parameters, tokens: $0.tokens))
        }
        for (own, golden) in zip(numbers(try ScalingLaw(fitting: exact)), golden.truth) {
            #expect(isNear(own / golden, 1, 1e-5))
        }
        let large = truth.loss(parameters: 1e6, tokens: 1e30)
        #expect(isNear(large, pow(golden.truth[0] / 1e6, golden.truth[1]), 1e-6))
        #expect(isNear(truth.loss(parameters: 1e30, tokens: 1e6), pow(golden.truth[2] / 1e6, golden.truth[3]), 1e-6))
    }

    @Test("Of laws with noise most intervals hold the truth, and they are the same for a seed")
    func intervals() throws {
        let truth = ScalingLaw(
            parametersScale: golden.truth[0], parametersExponent: golden.truth[1], tokensScale: golden.truth[2],
            tokensExponent: golden.truth[3])
        var state: UInt64 = 1, held = 0
        func noise() -> Double {
            // The sum of twelve even numbers is nearly normal.
            (0..<12).reduce(-6.0) { sum, _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return sum + Double(state >> 11) * 0x1p-53
            }
        }
        for seed in 0..<20 {
            let noisy = runs.map { run in
                let loss = truth.loss(parameters: run.parameters, tokens: run.tokens) * exp(0.01 * noise())
                return ScalingLaw.Run(parameters: run.parameters, tokens: run.tokens, loss: loss)
            }
            let own = try ScalingLaw.fit(noisy, seed: UInt64(seed), draws: 100).parametersExponent
            let low = try #require(own.low), high = try #require(own.high)
            #expect(low < own.value && own.value < high && high - low < 0.1)
            if low < truth.parametersExponent, truth.parametersExponent < high { held += 1 }
        }
        #expect(held >= 17, "\(held) of 20")
        let fit = try ScalingLaw.fit(runs, seed: 1)
        #expect(try ScalingLaw.fit(runs, seed: 1).tokensExponent == fit.tokensExponent)
        let page = ReportPage.html(
            EvaluationReport(models: [], seed: 1, sections: [fit.section(runs)]), title: "Scaling", footer: "")
        #expect(page.contains("stroke-dasharray=\"4 4\"") && page.components(separatedBy: "<circle").count > 9)
    }

    @Test("Runs that do not determine a law are refused")
    func refusals() {
        #expect(throws: EvaluationError.self) { try ScalingLaw(fitting: Array(runs.prefix(4))) }
        let one = runs.map { ScalingLaw.Run(parameters: 1e6, tokens: $0.tokens, loss: $0.loss) }
        #expect(throws: EvaluationError.self) { try ScalingLaw(fitting: one) }
        var broken = runs
        broken[3].loss = .nan
        let error = #expect(throws: EvaluationError.self) { try ScalingLaw(fitting: broken) }
        #expect(error?.message.hasPrefix("run 4 has loss nan") == true)
    }
}
