import DiffusionModels
import Foundation
import Tensors
import Testing

/// A multistep solver as simple as they come: x + Δσ · (3 d − d_before) / 2, on sigmas, with scaled inputs. It stands for
/// what DPM-Solver++, UniPC and PNDM need of the seam.
private struct TwoStepNoiseScheduler: NoiseScheduler {
    struct Memory: NoiseHistory {
        var derivative: FeatureMap?
        var featureMaps: [FeatureMap] { derivative.map { [$0] } ?? [] }
    }

    static let name = "two steps", takesEta = false
    let timesteps: [Float], sigmas: [Float]
    var initialNoiseScale: Float { (sigmas[0] * sigmas[0] + 1).squareRoot() }
    var history = Memory()

    init(_ schedule: NoiseSchedule, steps: Int, eta: Float) throws(DiffusionError) {
        let indices = try schedule.timesteps(steps)
        timesteps = indices.map { Float($0) }
        sigmas =
            indices.map { ((1 - schedule.alphasCumulative[$0]) / schedule.alphasCumulative[$0]).squareRoot() } + [0]
    }

    mutating func step(
        _ sample: FeatureMap, at index: Int, in context: some DenoisingContext
    ) throws -> DenoisedSample {
        let device = context.device, sigma = sigmas[index], distance = sigmas[index + 1] - sigma
        let input = try device.makeFeatureMap(like: sample)
        device.scale(sample.pixels, by: 1 / (sigma * sigma + 1).squareRoot(), into: input.pixels)
        let derivative = try context.predict(input, timestep: timesteps[index])
        let original = try device.makeFeatureMap(like: sample), next = try device.makeFeatureMap(like: sample)
        device.weightedSum(1, sample.pixels, -sigma, derivative.pixels, into: original.pixels)
        if let before = history.derivative {
            device.weightedSum(1, sample.pixels, 1.5 * distance, derivative.pixels, into: next.pixels)
            device.weightedSum(1, next.pixels, -0.5 * distance, before.pixels, into: next.pixels)
        } else {
            device.weightedSum(1, sample.pixels, distance, derivative.pixels, into: next.pixels)
        }
        history.derivative = derivative
        return DenoisedSample(next: next, original: original)
    }
}

/// Heun's method: two calls of the model a step, and two draws of noise.
private struct TwoCallNoiseScheduler: NoiseScheduler {
    static let name = "two calls", takesEta = false
    let timesteps: [Float], sigmas: [Float]
    let initialNoiseScale: Float = 1
    var history = NoHistory()

    init(_ schedule: NoiseSchedule, steps: Int, eta: Float) throws(DiffusionError) {
        timesteps = try schedule.timesteps(steps).map { Float($0) }
        sigmas = timesteps.map { $0 / 1_000 } + [0]
    }

    mutating func step(
        _ sample: FeatureMap, at index: Int, in context: some DenoisingContext
    ) throws -> DenoisedSample {
        let device = context.device, distance = sigmas[index + 1] - sigmas[index]
        let first = try context.predict(sample, timestep: timesteps[index])
        let middle = try device.makeFeatureMap(like: sample), next = try device.makeFeatureMap(like: sample)
        device.weightedSum(1, sample.pixels, distance, first.pixels, into: middle.pixels)
        let second = try context.predict(middle, timestep: timesteps[index] / 2)
        device.weightedSum(distance / 2, first.pixels, distance / 2, second.pixels, into: next.pixels)
        device.weightedSum(1, next.pixels, 1, sample.pixels, into: next.pixels)
        for draw in 0..<2 {
            device.weightedSum(1, next.pixels, 0.01, try context.noise(draw: draw).pixels, into: next.pixels)
        }
        return DenoisedSample(next: next, original: middle)
    }
}

/// What holds for every noise scheduler.
@Suite struct NoiseSchedulerContractTests {
    private static let schedule = Result { try NoiseSchedule(json: Data("{}".utf8), path: "test") }
    private static let names = ["DDPM", "DDIM", "two steps", "two calls"]
    private let device = Device(threadCount: 2)

    private func factory(_ name: String) throws -> NoiseSchedulerFactory {
        let schedule = try Self.schedule.get()
        return switch name {
        case "DDPM": NoiseSchedulerFactory(DDPMNoiseScheduler.self, schedule)
        case "DDIM": NoiseSchedulerFactory(DDIMNoiseScheduler.self, schedule)
        case "two steps": NoiseSchedulerFactory(TwoStepNoiseScheduler.self, schedule)
        default: NoiseSchedulerFactory(TwoCallNoiseScheduler.self, schedule)
        }
    }

    private func job(_ name: String, seeds: [UInt64] = [3, 4], steps: Int = 5) throws -> DiffusionJob {
        var pipeline = try DiffusionPipeline(directory: try golden("tiny"), device: device)
        pipeline.noiseScheduler = try factory(name)
        var request = DiffusionRequest(prompt: "", seeds: seeds)
        request.steps = steps
        if name == "DDIM" { request.eta = 0.5 }
        return try pipeline.makeJob(request)
    }

    private func finish(_ job: DiffusionJob) throws -> [UInt32] {
        var job = job
        while !job.isFinished { _ = try job.step() }
        return try job.latents().floats.map(\.bitPattern)
    }

    @Test(arguments: names) func `timesteps and sigmas descend to the end`(name: String) throws {
        for steps in [1, 2, 7, 50] {
            let scheduler = try factory(name).make(steps: steps, eta: 0)
            #expect(scheduler.timesteps.count == steps && scheduler.sigmas.count == steps + 1)
            #expect(zip(scheduler.timesteps, scheduler.timesteps.dropFirst()).allSatisfy { $0 > $1 })
            #expect(zip(scheduler.sigmas, scheduler.sigmas.dropFirst()).allSatisfy { $0 > $1 || $1 == 0 })
            #expect(scheduler.sigmas.last == 0 && scheduler.initialNoiseScale >= 1)
        }
        #expect(throws: DiffusionError.self) { try factory(name).make(steps: 0, eta: 0) }
    }

    @Test(arguments: names) func `a drawing resumed after any step is the same to the bit`(name: String) throws {
        var whole = try job(name)
        let expected = try finish(whole)
        for step in 0...whole.steps {
            let bytes = try whole.checkpoint.bytes
            var rest = try job(name)
            try rest.resume(DiffusionCheckpoint(bytes: bytes))
            #expect(try finish(rest) == expected, "resumed after step \(step)")
            if !whole.isFinished { _ = try whole.step() }
        }
        #expect(try finish(whole) == expected)
    }

    @Test(arguments: names) func `a picture depends on its own seed and not on the pictures beside it`(name: String)
        throws
    {
        let three = try finish(try job(name, seeds: [5, 6, 7])), size = three.count / 3
        #expect(try finish(try job(name, seeds: [6])) == Array(three[size..<2 * size]))
        #expect(three[..<size] != three[size..<2 * size])
    }

    @Test(arguments: names) func `a step leaves the sample as it was, and a copy of the job goes on by itself`(
        name: String
    ) throws {
        var job = try job(name)
        _ = try job.step()
        let copy = job, before = try copy.latents().floats
        let first = try finish(job)
        #expect(try copy.latents().floats == before)
        #expect(try finish(copy) == first)
    }

    @Test func `a history is refused where it does not belong`() throws {
        var stepped = try job("two steps")
        _ = try stepped.step()
        let bytes = try stepped.checkpoint.bytes
        #expect(bytes.count > (try job("DDIM").checkpoint.bytes.count))
        func expectRefused(_ bytes: [UInt8], by name: String) throws {
            var other = try job(name)
            let error = #expect(throws: DiffusionError.self) {
                try other.resume(DiffusionCheckpoint(bytes: bytes))
            }
            #expect(error?.code == .invalidRequest && other.completedSteps == 0)
        }
        try expectRefused(bytes, by: "DDIM")
        try expectRefused(bytes, by: "two calls")
        try expectRefused(try job("DDIM").checkpoint.bytes, by: "two steps")
        // A history whose bytes are damaged, or of pictures of another shape.
        var damaged = bytes
        for at in bytes.count - 40..<bytes.count { damaged[at] ^= 0x5A }
        try expectRefused(damaged, by: "two steps")
        var small = try job("two steps", seeds: [3])
        _ = try small.step()
        let short = try small.checkpoint.bytes, latents = 32 + 4 * 2 * 3 * 8 * 8
        let foreign = Array(short[(32 + 4 * 3 * 8 * 8)...])
        var head = Array(bytes[..<latents])
        for byte in 0..<4 { head[28 + byte] = UInt8(truncatingIfNeeded: foreign.count >> (8 * byte)) }
        try expectRefused(head + foreign, by: "two steps")
    }

    @Test func `further steps take no further memory`() throws {
        let own = Device(threadCount: 1)
        for name in ["tiny", "cifar"] {
            let pipeline = try DiffusionPipeline(directory: try golden(name), device: own)
            var request = DiffusionRequest(prompt: "", seeds: [1, 2])
            request.steps = 8
            var job = try pipeline.makeJob(request)
            for _ in 0..<4 { _ = try job.step(previews: true) }
            let (made, held) = (own.workspace.allocationCount, own.workspace.byteCount)
            while !job.isFinished { _ = try job.step(previews: true) }
            #expect(own.workspace.allocationCount == made && own.workspace.byteCount == held, "\(name)")
        }
    }
}
