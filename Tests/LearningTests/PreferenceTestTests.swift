import Learning
import Testing

struct PreferenceTestTests {
    /// Numbers that a seed fixes (SplitMix64).
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func ratings(_ rate: Double, _ count: Int, _ random: inout Random) -> [Bool] {
        (0..<count).map { _ in Double.random(in: 0..<1, using: &random) < rate }
    }

    @Test("A model that is liked no more often is promoted in fewer than α of all canaries, looked at after each pair")
    func errorRate() {
        var random = Random(state: 1)
        for rate in [0.2, 0.5, 0.9] {
            let promoted = (0..<2_000).count { _ in
                PreferenceTest(
                    new: ratings(rate, 300, &random), old: ratings(rate, 300, &random), error: 0.05
                ).verdict == .newIsBetter
            }
            // 100 of 2,000 are allowed.
            #expect(promoted < 100, "\(rate): \(promoted)")
        }
    }

    @Test("A model that is liked more often is found to be, one that is liked less often too")
    func power() {
        var random = Random(state: 2)
        var (found, lost, pairs) = (0, 0, 0)
        for _ in 0..<200 {
            let test = PreferenceTest(new: ratings(0.8, 300, &random), old: ratings(0.5, 300, &random), error: 0.05)
            if test.verdict == .newIsBetter { found += 1 }
            pairs += test.pairs
            let worse = PreferenceTest(new: ratings(0.4, 300, &random), old: ratings(0.7, 300, &random), error: 0.05)
            if worse.verdict == .oldIsBetter { lost += 1 }
        }
        #expect(found >= 195 && lost >= 195 && pairs / 200 < 100, "\(found), \(lost), \(pairs / 200)")
    }

    @Test("A block multiplies the evidence as the paper has it")
    func block() {
        let none = PreferenceTest(new: [true], old: [false], error: 0.05)
        // Both posteriors are ½ before the first block: it says nothing.
        #expect(none.evidence.new == 1 && none.pairs == 1 && none.verdict == .open)
        // θ_new = 3/4, θ_old = 1/4, θ₀ = 1/2: (3/4 · 3/4) / (1/2 · 1/2).
        let second = PreferenceTest(new: [true, true], old: [false, false], error: 0.05)
        #expect(abs(second.evidence.new - 2.25) < 1e-12 && second.evidence.old == 1)
        #expect(PreferenceTest(new: [], old: [true], error: 0.05).pairs == 0)
    }
}
