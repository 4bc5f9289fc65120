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
        request.eta = kind == "ddpm" ? nil : kind == "ddim_eta" ? 0.6 : 0
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

    @Test(arguments: ["ddpm", "ddim", "ddim_eta"])
    func `previews are what the last step foresees, come ever nearer, and change nothing`(kind: String) throws {
        let pipeline = try pipeline(
            "tiny", scheduler: ["_class_name": kind == "ddpm" ? "DDPMScheduler" : "DDIMScheduler"])
        func draw(foresees: Bool) throws -> (previews: [[Picture]], pictures: [Picture]) {
            var request = DiffusionRequest(prompt: "", seeds: [5, 6])
            (request.steps, request.eta) = (8, kind == "ddpm" ? nil : kind == "ddim_eta" ? 0.6 : 0)
            var job = try pipeline.makeJob(request)
            var previews: [[Picture]] = []
            while !job.isFinished {
                _ = try job.step(previews: foresees)
                previews.append(try job.previews())
            }
            return (previews, try job.pictures())
        }
        let (none, plain) = try draw(foresees: false)
        let (previews, pictures) = try draw(foresees: true)
        #expect(pictures == plain && none.allSatisfy(\.isEmpty) && previews.allSatisfy { $0.count == 2 })
        func distance(_ picture: Picture, _ other: Picture) -> Int {
            zip(picture.rgba, other.rgba).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        }
        for index in 0..<2 {
            // After the last step nothing is left to be foreseen.
            #expect(previews[7][index] == pictures[index])
            #expect(distance(previews[0][index], pictures[index]) > distance(previews[6][index], pictures[index]))
        }
    }

    @Test func `previews come evenly, ascending, and never after the last step`() {
        func steps(_ count: Int, _ total: Int) -> [Int] {
            let schedule = PreviewSchedule(count, of: total)
            return (1...total).filter { schedule.index(after: $0) != nil }
        }
        #expect(
            steps(3, 50) == [13, 25, 38] && steps(1, 50) == [25] && steps(0, 50) == [] && steps(3, 4) == [1, 2, 3])
        #expect(steps(3, 2) == [1] && steps(3, 1) == [] && steps(2, 3) == [1, 2])
        for total in 1...40 {
            for count in 0...3 {
                let schedule = PreviewSchedule(count, of: total)
                #expect(steps(count, total).compactMap { schedule.index(after: $0) } == Array(0..<schedule.count))
                #expect(schedule.count == min(count, total - 1) && schedule.index(after: total) == nil)
            }
        }
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
        let encoder = try #require(pipeline.encoder as? WordBagEncoder)
        #expect(encoder.rows(of: "unheard-of wördz").isEmpty)
        #expect(encoder.rows(of: "a dragon") == encoder.rows(of: "一条龙") && !encoder.rows(of: "a dragon").isEmpty)
        #expect(pipeline.width == 32 && pipeline.height == 32)
        var job = try pipeline.makeJob(DiffusionRequest(prompt: "unheard-of", seeds: [1, 2]))
        let progress = try job.step()
        #expect(progress.steps == pipeline.defaults.steps)
        #expect(try job.pictures().map(\.rgba.count) == [4_096, 4_096])
    }
}
