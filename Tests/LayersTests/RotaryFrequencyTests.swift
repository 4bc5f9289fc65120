import Foundation
import Layers
import Testing

/// Against transformers 5.23; make_rotary_goldens.py says how.
@Suite struct RotaryFrequencyTests {
    private struct Golden: Decodable {
        struct Parameters: Decodable {
            var rope_theta: Double
            var factor: Double
            var low_freq_factor: Float?
            var high_freq_factor: Float?
            var original_max_position_embeddings: Int?
            var long_factor: [Double]?
            var beta_fast: Double?
            var beta_slow: Double?
            var mscale: Double?
            var truncate: Bool?
        }
        var name: String
        var parameters: Parameters
        var inverse: [Float]
        var factor: Float
    }

    private func golden(_ name: String) throws -> Golden {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Goldens/rotary.json")
        let all = try JSONDecoder().decode([Golden].self, from: Data(contentsOf: path))
        return try #require(all.first { $0.name == name })
    }

    @Test(arguments: ["linear", "llama3", "longrope", "yarn", "yarn-mscale"])
    func `frequencies are those of transformers`(name: String) throws {
        let golden = try golden(name), parameters = golden.parameters
        let scaling: RotaryFrequencies.Scaling
        switch name {
        case "linear": scaling = .linear(factor: Float(parameters.factor))
        case "llama3":
            scaling = .llama3(
                factor: Float(parameters.factor), low: try #require(parameters.low_freq_factor),
                high: try #require(parameters.high_freq_factor),
                originalContext: Float(try #require(parameters.original_max_position_embeddings)))
        case "yarn", "yarn-mscale":
            let factor = parameters.factor
            let attention = RotaryFrequencies.yarnAttention(factor, parameters.mscale ?? 1)
            scaling = .yarn(
                factor: factor,
                attention: Float(
                    parameters.mscale == nil ? attention : attention / RotaryFrequencies.yarnAttention(factor)),
                fast: parameters.beta_fast ?? 32, slow: parameters.beta_slow ?? 1,
                originalContext: Double(try #require(parameters.original_max_position_embeddings)),
                truncates: parameters.truncate ?? true)
        default:
            scaling = .stretched(
                try #require(parameters.long_factor),
                attention: RotaryFrequencies.attentionFactor(
                    parameters.factor, originalContext: try #require(parameters.original_max_position_embeddings)))
        }
        let own = RotaryFrequencies(base: parameters.rope_theta, width: 64, scaling: scaling)
        #expect(own.inverse.count == golden.inverse.count)
        for (a, b) in zip(own.inverse, golden.inverse) { #expect(abs(a - b) <= 2e-6 * b) }
        #expect(abs(own.scale - golden.factor) <= 1e-6)
    }

    @Test func `without scaling the frequencies fall from 1 as powers of the base`() {
        let own = RotaryFrequencies(base: 10_000, width: 8)
        for (index, value) in own.inverse.enumerated() {
            #expect(abs(Double(value) - pow(10_000, -Double(index) / 4)) < 1e-7)
        }
        #expect(own.scale == 1 && RotaryFrequencies.attentionFactor(0.5, originalContext: 4_096) == 1)
    }
}
