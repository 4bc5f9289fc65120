import Foundation

/// The inverse frequencies of RoPE (arXiv 2104.09864), with the scalings that checkpoints ask for.
enum RotaryFrequencies {
    /// One for each pair of elements, in f32 as transformers computes them.
    ///
    /// - Throws: `TextModelError.unsupported` for a scaling that is not known here.
    static func compute(_ json: CheckpointConfiguration, headDim: Int) throws(TextModelError) -> [Float] {
        // transformers 5 writes `rope_parameters`, earlier versions `rope_theta` and `rope_scaling`.
        let scaling = json.rope_parameters ?? json.rope_scaling
        let theta = scaling?.rope_theta ?? json.rope_theta ?? 10_000
        guard theta > 0, theta.isFinite else {
            throw TextModelError(.invalidCheckpoint, "config.json: \"rope_theta\" is \(theta)")
        }
        let base = (0..<headDim / 2).map { Float(1) / powf(Float(theta), Float(2 * $0) / Float(headDim)) }
        switch scaling?.rope_type ?? scaling?.type ?? "default" {
        case "default": return base
        case "linear":
            let factor = try positive(scaling?.factor, "factor")
            return base.map { $0 / Float(factor) }
        case "llama3": return try llama3(base, scaling)
        case let kind:
            throw TextModelError(.unsupported, "config.json: RoPE scaling \"\(kind)\" is not supported")
        }
    }

    private static func positive(_ value: Double?, _ name: String) throws(TextModelError) -> Double {
        guard let value, value > 0, value.isFinite else {
            throw TextModelError(.invalidCheckpoint, "config.json: RoPE \"\(name)\" must be positive")
        }
        return value
    }

    /// Llama 3.1's: long wavelengths are divided by the factor, short ones kept, those between interpolated.
    private static func llama3(
        _ base: [Float], _ scaling: CheckpointConfiguration.RopeScaling?
    ) throws(TextModelError) -> [Float] {
        let factor = Float(try positive(scaling?.factor, "factor"))
        let low = Float(try positive(scaling?.low_freq_factor, "low_freq_factor"))
        let high = Float(try positive(scaling?.high_freq_factor, "high_freq_factor"))
        let original = Float(
            try CheckpointConfiguration.extent(
                scaling?.original_max_position_embeddings, "original_max_position_embeddings", in: 1...1_048_576))
        guard high > low else {
            throw TextModelError(
                .invalidCheckpoint, "config.json: \"high_freq_factor\" must exceed \"low_freq_factor\"")
        }
        return base.map { frequency in
            let wavelength = 2 * Float.pi / frequency
            if wavelength > original / low { return frequency / factor }
            if wavelength < original / high { return frequency }
            let smooth = (original / wavelength - low) / (high - low)
            return (1 - smooth) * frequency / factor + smooth * frequency
        }
    }
}
