import Foundation
import Tensors

/// How fast RoPE (arXiv 2104.09864) turns each pair of elements of a head, with the scalings that checkpoints ask for;
/// in f32 as transformers computes them.
struct RotaryFrequencies: Sendable {
    /// Radians a position, one for each pair that is turned; elements beyond them stay as they are.
    var inverse: [Float]
    /// What cosines and sines are multiplied by.
    var scale: Float = 1

    /// - Parameter partial: whether the architecture may turn only the first elements of a head.
    /// - Throws: `TextModelError.unsupported` for a scaling that is not known here, `.invalidCheckpoint` for one that is
    ///   incomplete.
    init(_ json: CheckpointConfiguration, shape: DecoderShape, partial: Bool = false) throws(TextModelError) {
        let scaling = try Self.scaling(json)
        let kind = scaling?.rope_type ?? scaling?.type
        guard scaling == nil || kind != nil || scaling?.rope_theta != nil else {
            throw TextModelError(
                .unsupported, "config.json: RoPE parameters without \"rope_type\" (by layer type?) are not supported")
        }
        let theta = try Self.positive(
            scaling?.rope_theta ?? json.rope_theta.value(absent: Self.standardTheta), "rope_theta")
        let rotary = try Self.rotary(scaling?.partial_rotary_factor ?? json.partial_rotary_factor, shape, partial)
        let wavelengths = (0..<rotary / 2).map { powf(Float(theta), Float(2 * $0) / Float(rotary)) }
        let base = wavelengths.map { 1 / $0 }
        switch kind ?? "default" {
        case "default": inverse = base
        case "linear":
            let factor = Float(try Self.positive(scaling?.factor, "factor"))
            inverse = base.map { $0 / factor }
        case "llama3": inverse = try Self.llama3(base, scaling)
        case "longrope", "su":
            let original = try CheckpointConfiguration.extent(
                json.original_max_position_embeddings ?? scaling?.original_max_position_embeddings,
                "original_max_position_embeddings", in: 2...1_048_576)
            inverse = try Self.longRoPE(wavelengths, scaling, isLong: shape.context > original)
            scale = try Self.longRoPEScale(scaling, context: shape.context, original: original)
        case let kind:
            throw TextModelError(.unsupported, "config.json: RoPE scaling \"\(kind)\" is not supported")
        }
    }

    private static let standardTheta = 10_000.0

    /// transformers 5 writes `rope_parameters`, earlier versions `rope_theta` and `rope_scaling`. Where both are there, as
    /// when a card's scaling for long texts was added to a newer file, transformers takes `rope_scaling` and forgets the
    /// base that stands in `rope_parameters`: a model with another base would go wrong, and is refused.
    private static func scaling(
        _ json: CheckpointConfiguration
    ) throws(TextModelError) -> CheckpointConfiguration.RopeScaling? {
        guard let parameters = json.rope_parameters else { return json.rope_scaling }
        guard let scaling = json.rope_scaling else { return parameters }
        let kept = parameters.rope_theta ?? json.rope_theta.value(absent: standardTheta)
        let taken = scaling.rope_theta ?? json.rope_theta.value(absent: standardTheta)
        let isPlain = ["default", nil].contains(parameters.rope_type ?? parameters.type)
        guard isPlain || parameters.effect == scaling.effect, kept == taken,
            parameters.partial_rotary_factor == scaling.partial_rotary_factor
        else {
            throw TextModelError(
                .unsupported,
                "config.json has both \"rope_parameters\" and \"rope_scaling\", which disagree; put what is meant, with its "
                    + "\"rope_theta\", into \"rope_parameters\" alone")
        }
        return scaling
    }

    private static func positive(_ value: Double?, _ name: String) throws(TextModelError) -> Double {
        guard let value, value > 0, value.isFinite else {
            let value = value.map { "\($0)" } ?? "missing"
            throw TextModelError(.invalidCheckpoint, "config.json: RoPE \"\(name)\" is \(value); it must be positive")
        }
        return value
    }

    /// How many elements of a head are turned.
    private static func rotary(
        _ factor: Double?, _ shape: DecoderShape, _ partial: Bool
    ) throws(TextModelError) -> Int {
        guard let factor, factor != 1 else { return shape.headDim }
        guard partial else {
            throw TextModelError(
                .unsupported, "config.json: \"partial_rotary_factor\" is \(factor); only 1 is supported here")
        }
        let rotary = factor > 0 && factor < 1 ? Int(Double(shape.headDim) * factor) : 0
        guard rotary > 0, rotary % 2 == 0 else {
            throw TextModelError(
                .invalidCheckpoint,
                "config.json: \"partial_rotary_factor\" \(factor) of a head of \(shape.headDim) is no even part of it")
        }
        return rotary
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

    /// LongRoPE's (arXiv 2402.13753): each wavelength is stretched by a factor of its own. transformers changes from the
    /// short factors to the long ones when a sequence outgrows the original context; here the checkpoint's context
    /// decides once for all sequences, because keys in the cache keep the rotation that they were written with.
    private static func longRoPE(
        _ wavelengths: [Float], _ scaling: CheckpointConfiguration.RopeScaling?, isLong: Bool
    ) throws(TextModelError) -> [Float] {
        let name = isLong ? "long_factor" : "short_factor"
        let factors = (isLong ? scaling?.long_factor : scaling?.short_factor) ?? []
        guard factors.count == wavelengths.count, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw TextModelError(
                .invalidCheckpoint,
                "config.json: \"\(name)\" has \(factors.count) factors; \(wavelengths.count) positive ones are needed")
        }
        return zip(factors, wavelengths).map { 1 / (Float($0) * $1) }
    }

    /// √(1 + ln(factor) / ln(original context)), unless the checkpoint says otherwise.
    private static func longRoPEScale(
        _ scaling: CheckpointConfiguration.RopeScaling?, context: Int, original: Int
    ) throws(TextModelError) -> Float {
        if let given = scaling?.attention_factor { return Float(try positive(given, "attention_factor")) }
        let factor = try positive(scaling?.factor ?? Double(context) / Double(original), "factor")
        return factor <= 1 ? 1 : Float((1 + log(factor) / log(Double(original))).squareRoot())
    }
}

extension RotaryTable {
    init(_ frequencies: RotaryFrequencies, positions: Int) throws(TensorError) {
        try self.init(inverseFrequencies: frequencies.inverse, positions: positions, scale: frequencies.scale)
    }
}
