import DiffusionModels
import Foundation
import Tensors
import Testing

/// Numbers in any order, as a feature map.
func featureMap(_ elements: [Float]) throws -> FeatureMap {
    FeatureMap(try Tensor(elements, shape: [1, 1, elements.count, 1]))
}

/// A step whose model and noise always give the same.
struct FixedContext: DenoisingContext {
    var device = Device(threadCount: 1)
    var output: FeatureMap
    var noise: FeatureMap

    func predict(_ x: FeatureMap, timestep: Float) -> FeatureMap { output }
    func noise(draw: Int) -> FeatureMap { noise }
}

@Suite struct NoiseSchedulerTests {
    /// The arithmetic is f32 on both sides; orders of operations differ.
    static let tolerance: Float = 2e-5

    @Test func `tables and steps agree with diffusers`() throws {
        let json = try Data(contentsOf: URL(fileURLWithPath: try golden("schedulers.json")))
        let entries = try #require(try JSONSerialization.jsonObject(with: json) as? [[String: Any]])
        #expect(entries.count == 10)
        for entry in entries {
            let config = try #require(entry["config"] as? [String: Any])
            func floats(_ key: String) throws -> [Float] { try #require(entry[key] as? [NSNumber]).map(\.floatValue) }
            let schedule = try NoiseSchedule(
                json: try JSONSerialization.data(withJSONObject: config), path: "scheduler_config.json")
            let every = schedule.count > 50 ? 100 : 1
            let kept = stride(from: 0, to: schedule.count, by: every)
            #expect(distance(kept.map { schedule.betas[$0] }, try floats("betas")) < Self.tolerance, "\(config)")
            #expect(
                distance(kept.map { schedule.alphasCumulative[$0] }, try floats("alphas")) < Self.tolerance, "\(config)"
            )
            let steps = try #require(entry["steps"] as? Int)
            let isDDPM = config["_class_name"] as? String == "DDPMScheduler"
            let timesteps = try schedule.timesteps(steps)
            #expect(timesteps == (entry["timesteps"] as? [Int]), "\(config)")
            let sample = try featureMap(try floats("sample")), noise = try featureMap(try floats("noise"))
            let context = FixedContext(output: try featureMap(try floats("output")), noise: noise)
            for row in try #require(entry["rows"] as? [[String: Any]]) {
                let eta = try #require(row["eta"] as? NSNumber).floatValue
                var scheduler: any NoiseScheduler =
                    isDDPM
                    ? try DDPMNoiseScheduler(schedule, steps: steps)
                    : try DDIMNoiseScheduler(schedule, steps: steps, eta: eta)
                let at = try #require(row["timestep"] as? Int)
                let index = try #require(timesteps.firstIndex(of: at))
                let next = try #require(row["next"] as? [NSNumber]).map(\.floatValue)
                let ours = try scheduler.step(sample, at: index, in: context).next.pixels.floats
                #expect(
                    distance(ours, next) < Self.tolerance,
                    "\(config) at \(timesteps[index]), eta \(eta): \(ours) \(next)")
            }
            let noised = try schedule.addNoise(sample, noise: noise, timestep: timesteps[1], on: context.device)
            #expect(distance(noised.pixels.floats, try floats("noised")) < Self.tolerance)
        }
    }

    @Test(arguments: [10, 1_000]) func `linear betas run from 1e-4 · 1000/T to 0.02 · 1000/T`(count: Int) throws {
        let (start, end) = (1e-4 * 1_000 / Double(count), 0.02 * 1_000 / Double(count))
        guard end <= 1 else { return try expectRefused(start, end, count) }
        let schedule = try NoiseSchedule(
            json: Data(#"{"num_train_timesteps": \#(count), "beta_start": \#(start), "beta_end": \#(end)}"#.utf8),
            path: "test")
        #expect(abs(Double(schedule.betas[0]) - start) < 1e-9 && abs(Double(schedule.betas[count - 1]) - end) < 1e-8)
        let middle = start + (end - start) * 499 / 999
        #expect(abs(Double(schedule.betas[499]) - middle) < 1e-8)
        // q(x_t | x_0): the product of 1 − β in double precision.
        let bar = (0..<500).reduce(1.0) { $0 * (1 - (start + (end - start) * Double($1) / 999)) }
        let noised = try schedule.addNoise(
            try featureMap([0.5]), noise: try featureMap([-1.5]), timestep: 499, on: Device(threadCount: 1))
        #expect(abs(Double(noised.pixels[0]) - (bar.squareRoot() * 0.5 - (1 - bar).squareRoot() * 1.5)) < 1e-5)
    }

    private func expectRefused(_ start: Double, _ end: Double, _ count: Int) throws {
        // A T below 20 makes the last beta exceed 1, which is no variance.
        #expect(throws: DiffusionError.self) {
            try NoiseSchedule(
                json: Data(#"{"num_train_timesteps": \#(count), "beta_start": \#(start), "beta_end": \#(end)}"#.utf8),
                path: "test")
        }
    }

    @Test(arguments: [
        #"{"num_train_timesteps": 0}"#, #"{"beta_schedule": "wavy"}"#, #"{"prediction_type": "flow"}"#,
        #"{"trained_betas": [2]}"#,
        #"{"variance_type": "learned"}"#, #"{"num_train_timesteps": "many"}"#, "[",
        #"{"num_train_timesteps": 1000000000000}"#,
    ]) func `an absurd configuration is refused`(json: String) {
        #expect(throws: DiffusionError.self) { try NoiseSchedule(json: Data(json.utf8), path: "scheduler_config.json") }
    }

    @Test func `steps outside the schedule are refused`() throws {
        let schedule = try NoiseSchedule(json: Data("{}".utf8), path: "test")
        for steps in [-1, 0, 1_001] { #expect(throws: DiffusionError.self) { try schedule.timesteps(steps) } }
    }
}
