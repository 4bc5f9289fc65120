import Tensors
import Testing
import TextGeneration
import TextModels

@Suite struct SamplerTests {
    /// Shares of each id over many draws of one distribution.
    private func shares(_ parameters: (UInt64) throws -> SamplingParameters, _ logits: [Float]) throws -> [Double] {
        let draws = 20_000
        var counts = [Double](repeating: 0, count: logits.count)
        for seed in 0..<draws {
            let sampler = Sampler(try parameters(UInt64(seed)), choice: 0, prompt: [])
            counts[Int(try #require(sampler.sample(logits, allowed: logits.count)))] += 1
        }
        return counts.map { $0 / Double(draws) }
    }

    /// ln of 0.5, 0.25, 0.125, 0.0625 and, for 64 ids more, of 0.0625/64 each.
    private let logits: [Float] =
        [-0.693147, -1.386294, -2.079442, -2.772589] + [Float](repeating: -2.772589 - 4.158883, count: 64)

    @Test func `ids are drawn as often as they are likely, with and without cuts`() throws {
        // The bounds are more than five standard deviations of 20,000 draws.
        let all = try shares({ try SamplingParameters(seed: $0) }, logits)
        #expect(abs(all[0] - 0.5) < 0.02 && abs(all[1] - 0.25) < 0.02 && abs(all[3] - 0.0625) < 0.01)
        #expect(abs(all[4...].reduce(0, +) - 0.0625) < 0.01)
        let nucleus = try shares({ try SamplingParameters(topP: 0.7, seed: $0) }, logits)
        #expect(
            abs(nucleus[0] - 2.0 / 3) < 0.02 && abs(nucleus[1] - 1.0 / 3) < 0.02 && nucleus[2...].allSatisfy { $0 == 0 }
        )
        let top = try shares({ try SamplingParameters(topK: 3, seed: $0) }, logits)
        #expect(abs(top[0] - 4.0 / 7) < 0.02 && abs(top[2] - 1.0 / 7) < 0.02 && top[3...].allSatisfy { $0 == 0 })
        let likely = try shares({ try SamplingParameters(minP: 0.2, seed: $0) }, logits)
        #expect(abs(likely[2] - 1.0 / 7) < 0.02 && likely[3...].allSatisfy { $0 == 0 })
        let cold = try shares({ try SamplingParameters(temperature: 0.5, seed: $0) }, logits)
        #expect(abs(cold[0] / cold[1] - 4) < 0.5)
    }

    @Test func `a row of logits and its numbers give the same token`() throws {
        for seed in 0..<200 as Range<UInt64> {
            let logits = (0..<77).map { (id: Int) -> Float in
                id % 19 == 3 ? .nan : Float((id * 37 + Int(seed) * 11) % 23)
            }
            let row = try Tensor(logits, shape: [77])
            for temperature: Float in [0, 0.8] {
                for allowed in [77, 40] {
                    let sampler = Sampler(
                        try SamplingParameters(temperature: temperature, seed: seed), choice: 0, prompt: [])
                    #expect(sampler.sample(row, allowed: allowed) == sampler.sample(logits, allowed: allowed))
                }
            }
        }
    }

    @Test func `one id is always drawn where the others are ruled out`() throws {
        var only = [Float](repeating: -.infinity, count: 300)
        only[257] = -3
        for seed in 0..<50 as Range<UInt64> {
            let sampler = Sampler(try SamplingParameters(topP: 0.5, seed: seed), choice: 1, prompt: [])
            #expect(sampler.sample(only, allowed: 300) == 257)
        }
        #expect(Sampler(try SamplingParameters(seed: 1), choice: 0, prompt: []).sample([.nan, .nan], allowed: 2) == 0)
    }
}
