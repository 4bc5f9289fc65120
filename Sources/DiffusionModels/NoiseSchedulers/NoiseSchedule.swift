package import Foundation

/// `scheduler_config.json` of diffusers' DDPMScheduler and DDIMScheduler, and the tables that follow from it.
///
/// Symbols: β_t the variance added at step t; ᾱ_t = Π (1 − β_s), s ≤ t; q(x_t | x_0) = N(√ᾱ_t x_0, (1 − ᾱ_t) I)
/// (arXiv 2006.11239, equation 4).
package struct NoiseSchedule: NoiseSchedulerConfiguration {
    package enum Prediction: String, Sendable { case epsilon, sample, v = "v_prediction" }
    package enum Spacing: String, Sendable { case leading, trailing, linspace }
    package enum Variance: String, Sendable {
        case fixedSmall = "fixed_small", fixedSmallLog = "fixed_small_log", fixedLarge = "fixed_large"
    }

    package var betas: [Float]
    package var alphasCumulative: [Float]
    package var prediction: Prediction = .epsilon
    package var spacing: Spacing = .leading
    package var variance: Variance = .fixedSmall
    /// Predicted x_0 is clipped to ± this; nil: not.
    package var clipRange: Float? = 1
    /// Dynamic thresholding (arXiv 2205.11487): quantile and largest threshold.
    package var threshold: (ratio: Float, maximum: Float)?
    package var stepsOffset = 0
    package var finalAlphaIsOne = true

    /// Timesteps of the training.
    package var count: Int { betas.count }
    package var maximumSteps: Int { count }

    private struct Fields: Decodable {
        var num_train_timesteps, steps_offset: Int?
        var beta_start, beta_end, clip_sample_range, dynamic_thresholding_ratio, sample_max_value: Double?
        var beta_schedule, prediction_type, timestep_spacing, variance_type: String?
        var trained_betas: [Float]?
        var clip_sample, thresholding, set_alpha_to_one, rescale_betas_zero_snr: Bool?
    }

    /// - Throws: `DiffusionError` that names the field.
    package init(json: Data, path: String) throws(DiffusionError) {
        let f: Fields
        do { f = try JSONDecoder().decode(Fields.self, from: json) } catch {
            throw DiffusionError(
                .invalidCheckpoint,
                "\(path) is not a noise scheduler's configuration: \(DiffusionError.brief(error))")
        }
        let count = f.trained_betas?.count ?? f.num_train_timesteps ?? 1_000
        guard (1...100_000).contains(count) else {
            throw DiffusionError(.invalidCheckpoint, "\(path): num_train_timesteps is \(count), not 1 to 100000")
        }
        let (start, end) = (f.beta_start ?? 1e-4, f.beta_end ?? 0.02)
        if let trained = f.trained_betas {
            betas = trained
        } else {
            switch f.beta_schedule ?? "linear" {
            case "linear": betas = Self.spaced(start, end, count)
            case "scaled_linear": betas = Self.spaced(start.squareRoot(), end.squareRoot(), count).map { $0 * $0 }
            case "squaredcos_cap_v2": betas = Self.cosine(count)
            case "sigmoid":
                betas = Self.spaced(-6, 6, count).map {
                    Float(1 / (1 + exp(-Double($0)))) * Float(end - start) + Float(start)
                }
            case let other:
                throw DiffusionError(.unsupported, "\(path): beta_schedule \"\(other)\" is not supported")
            }
        }
        guard betas.allSatisfy({ $0.isFinite && $0 >= 0 && $0 <= 1 }) else {
            throw DiffusionError(.invalidCheckpoint, "\(path): a beta lies outside [0, 1]")
        }
        if f.rescale_betas_zero_snr ?? false { betas = Self.zeroTerminalSNR(betas) }
        alphasCumulative = Self.cumulative(betas)
        func choice<T: RawRepresentable>(_ raw: String?, _ default: T, _ field: String) throws(DiffusionError) -> T
        where T.RawValue == String {
            guard let raw else { return `default` }
            guard let value = T(rawValue: raw) else {
                throw DiffusionError(.unsupported, "\(path): \(field) \"\(raw)\" is not supported")
            }
            return value
        }
        prediction = try choice(f.prediction_type, .epsilon, "prediction_type")
        spacing = try choice(f.timestep_spacing, .leading, "timestep_spacing")
        variance = try choice(f.variance_type, .fixedSmall, "variance_type")
        clipRange = f.clip_sample ?? true ? Float(f.clip_sample_range ?? 1) : nil
        if f.thresholding ?? false {
            let ratio = f.dynamic_thresholding_ratio ?? 0.995
            guard (0...1).contains(ratio) else {
                throw DiffusionError(.invalidCheckpoint, "\(path): dynamic_thresholding_ratio is \(ratio), not 0 to 1")
            }
            threshold = (Float(ratio), Float(f.sample_max_value ?? 1))
        }
        stepsOffset = f.steps_offset ?? 0
        finalAlphaIsOne = f.set_alpha_to_one ?? true
        guard (0..<count).contains(stepsOffset) else {
            throw DiffusionError(.invalidCheckpoint, "\(path): steps_offset is \(stepsOffset) of \(count) timesteps")
        }
    }

    /// The timesteps of a run of `steps`, descending (arXiv 2305.08891, table 2).
    package func timesteps(_ steps: Int) throws(DiffusionError) -> [Int] {
        guard (1...count).contains(steps) else {
            throw DiffusionError(.invalidRequest, "\(steps) steps: this model takes 1 to \(count)", field: "steps")
        }
        switch spacing {
        case .linspace:
            guard steps > 1 else { return [0] }
            return (0..<steps).reversed().map {
                Int((Double($0) * Double(count - 1) / Double(steps - 1)).rounded(.toNearestOrEven))
            }
        case .leading:
            return (0..<steps).reversed().map { min($0 * (count / steps) + stepsOffset, count - 1) }
        case .trailing:
            let ratio = Double(count) / Double(steps)
            return (0..<steps).map { max(0, Int((Double(count) - Double($0) * ratio).rounded(.toNearestOrEven)) - 1) }
        }
    }

    /// √((1 − ᾱ) / ᾱ) at each of the timesteps, and 0 for the end.
    func sigmas(at timesteps: [Int]) -> [Float] {
        timesteps.map { ((1 - alphasCumulative[$0]) / alphasCumulative[$0]).squareRoot() } + [0]
    }

    /// torch.linspace in f32: from both ends.
    static func spaced(_ start: Double, _ end: Double, _ count: Int) -> [Float] {
        guard count > 1 else { return [Float(start)] }
        let (first, last) = (Float(start), Float(end))
        let step = (last - first) / Float(count - 1)
        return (0..<count).map { $0 < count / 2 ? first + step * Float($0) : last - step * Float(count - 1 - $0) }
    }

    /// β from ᾱ(t) = cos²((t + 0.008) / 1.008 · π / 2), at most 0.999 (arXiv 2102.09672, equation 17).
    static func cosine(_ count: Int) -> [Float] {
        func bar(_ t: Double) -> Double { let c = cos((t + 0.008) / 1.008 * Double.pi / 2); return c * c }
        return (0..<count).map {
            Float(min(1 - bar(Double($0 + 1) / Double(count)) / bar(Double($0) / Double(count)), 0.999))
        }
    }

    static func cumulative(_ betas: [Float]) -> [Float] {
        var product: Float = 1
        return betas.map {
            product *= 1 - $0; return product
        }
    }

    /// arXiv 2305.08891, algorithm 1.
    static func zeroTerminalSNR(_ betas: [Float]) -> [Float] {
        let roots = cumulative(betas).map { $0.squareRoot() }
        guard let first = roots.first, let last = roots.last, first != last else { return betas }
        let bars = roots.map {
            let r = ($0 - last) * (first / (first - last)); return r * r
        }
        return bars.indices.map { $0 == 0 ? 1 - bars[0] : 1 - bars[$0] / bars[$0 - 1] }
    }
}
