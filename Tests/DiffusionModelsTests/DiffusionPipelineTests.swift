import DiffusionModels
import EmbeddedModels
import Foundation
import Tensors
import Testing

@Suite struct DiffusionPipelineTests {
    let device = Device(threadCount: 2)

    /// A copy of a golden pipeline with another scheduler.
    private func pipeline(_ name: String, scheduler: [String: Any]) throws -> DiffusionPipeline {
        let folder = FileManager.default.temporaryDirectory.path + "/nephele-pipeline-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: try golden(name), toPath: folder)
        let old = name == "cifar" ? folder + "/scheduler_config.json" : folder + "/scheduler/scheduler_config.json"
        try JSONSerialization.data(withJSONObject: scheduler).write(to: URL(fileURLWithPath: old))
        return try DiffusionPipeline(directory: folder, device: device)
    }

    @Test(arguments: ["tiny", "cifar", "heads", "classes"], ["ddpm", "ddim", "ddim_eta"])
    func `whole trajectories agree with diffusers`(name: String, kind: String) throws {
        let values = try SafetensorsFile(path: try golden(name + "/golden.safetensors"))
        var config: [String: Any] = [
            "_class_name": kind == "ddpm" ? "DDPMScheduler" : "DDIMScheduler", "num_train_timesteps": 1_000,
        ]
        if name == "cifar" && kind == "ddpm" { config["variance_type"] = "fixed_large" }
        let pipeline = try pipeline(name, scheduler: config)
        var request = DiffusionRequest(prompt: "", seeds: [1, 2])
        request.steps = 5
        request.eta = kind == "ddim_eta" ? 0.6 : 0
        request.latents = try values.tensor("sample")
        request.noise = try values.tensor("noise")
        if name == "classes" { request.labels = [3, 0] }
        var job = try pipeline.makeJob(request)
        let path = try values.tensor(kind)
        for i in 1...5 {
            let progress = try job.step()
            #expect(progress.step == i && progress.steps == 5)
            #expect(distance(try job.latents().floats, path.rows(i..<i + 1).floats) < 5e-4, "step \(i)")
        }
        #expect(job.isFinished)
    }

    @Test func `a picture depends on its own seed and not on the pictures beside it`() throws {
        let pipeline = try DiffusionPipeline(directory: try golden("tiny"), device: device)
        func draw(_ seeds: [UInt64]) throws -> [Picture] {
            var request = DiffusionRequest(prompt: "", seeds: seeds)
            request.steps = 3
            var job = try pipeline.makeJob(request)
            while !job.isFinished { _ = try job.step() }
            return try job.pictures()
        }
        let three = try draw([5, 6, 7])
        #expect(try draw([6])[0] == three[1])
        #expect(three[0] != three[1])
    }

    @Test func `a cancelled job takes no further step`() throws {
        let pipeline = try DiffusionPipeline(directory: try golden("tiny"), device: device)
        var job = try pipeline.makeJob(DiffusionRequest(prompt: "", seeds: [1]))
        _ = try job.step()
        job.cancel()
        #expect(throws: DiffusionError.self) { try job.step() }
        #expect(job.completedSteps == 1)
    }

    @Test func `values out of range are refused`() throws {
        let pipeline = try DiffusionPipeline(directory: try golden("tiny"), device: device)
        func expectRefused(_ change: (inout DiffusionRequest) throws -> Void) throws {
            var request = DiffusionRequest(prompt: "", seeds: [1])
            try change(&request)
            #expect(throws: DiffusionError.self) { try pipeline.makeJob(request) }
        }
        try expectRefused { $0.seeds = [] }
        try expectRefused { $0.seeds = Array(0..<17) }
        try expectRefused { $0.steps = 0 }
        try expectRefused { $0.steps = 1_001 }
        try expectRefused { $0.guidanceScale = -.infinity }
        try expectRefused { $0.guidanceScale = .nan }
        try expectRefused { $0.width = 7 }
        try expectRefused { $0.height = 1 << 40 }
        try expectRefused { $0.latents = try Tensor(zeros: [1, 3, 8, 7]) }
        try expectRefused { $0.noise = try Tensor(zeros: [2, 1, 3, 8, 8]) }
        #expect(throws: DiffusionError.self) { try DiffusionPipeline(directory: "/nonexistent", device: device) }
    }

    @Test func `the embedded model loads, knows its words and steps`() throws {
        let directory = try #require(EmbeddedModels.directory(of: EmbeddedModels.picture))
        let pipeline = try DiffusionPipeline(directory: directory, device: device)
        let encoder = try #require(pipeline.encoder)
        #expect(encoder.rows(of: "unheard-of wördz").isEmpty)
        #expect(encoder.rows(of: "a dragon") == encoder.rows(of: "一条龙") && !encoder.rows(of: "a dragon").isEmpty)
        #expect(pipeline.width == 32 && pipeline.height == 32)
        var job = try pipeline.makeJob(DiffusionRequest(prompt: "unheard-of", seeds: [1, 2]))
        let progress = try job.step()
        #expect(progress.steps == pipeline.defaultSteps)
        #expect(try job.pictures().map(\.rgba.count) == [4_096, 4_096])
    }
}
