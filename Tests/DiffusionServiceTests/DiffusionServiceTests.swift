import DiffusionModels
import DiffusionService
import Foundation
import Messages
import RPC
import Synchronization
import Tensors
import Testing
import ZeroMQTransport

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("DiffusionModelsTests/Goldens").path

/// Loaded once: loading blocks, and every test would do it on the few threads that all share.
private let tiny = Result {
    try DiffusionPipeline(directory: goldens + "/tiny", device: Device(threadCount: 1))
}

/// A diffusion service of its own over ipc.
private final class Studio: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let pipeline: DiffusionPipeline
    let server: RPCServer
    let client: RPCClient
    let gauge: LoadGauge

    init(_ options: DiffusionEngine.Options = .init(), pipeline given: DiffusionPipeline? = nil) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        pipeline = try given ?? tiny.get()
        gauge = LoadGauge(capacity: options.runningLimit)
        let service = DiffusionService(
            DiffusionRevision(name: "tiny", numericsID: "0123456789abcdef", pipeline: pipeline),
            engine: try DiffusionEngine(options: options, gauge: gauge))
        server = RPCServer(
            service.description(capacity: 4), services: [service],
            transports: [try ZeroMQTransport.shared().server("ipc://\(directory)/diffusion-1.sock")], gauge: gauge)
        try server.start()
        client = try RPCClient(target: "ipc://\(directory)/diffusion-*.sock")
    }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func stream(_ request: Wire.DrawRequest, _ attachments: [Messages.Attachment] = []) async throws -> ReplyStream<
        Wire.DrawUpdate
    > {
        try await client.stream(
            Wire.Diffusion.draw, request, CallOptions(timeout: .seconds(120), attachments: attachments))
    }

    /// Progress and files of a whole drawing.
    func draw(
        _ request: Wire.DrawRequest, _ attachments: [Messages.Attachment] = []
    ) async throws -> (steps: [UInt32], pictures: [(Wire.DrawnPicture, [UInt8])]) {
        var steps: [UInt32] = [], pictures: [(Wire.DrawnPicture, [UInt8])] = []
        let updates = try await stream(request, attachments)
        while let update = try await updates.next() {
            if let picture = update.message.picture {
                pictures.append((picture, try #require(update.attachments.first).array))
            } else if !update.message.isCheckpoint, update.message.preview == nil {
                steps.append(update.message.step)
            }
        }
        return (steps, pictures)
    }
}

private func request(seeds: [UInt64] = [1], steps: UInt32? = 4) -> Wire.DrawRequest {
    var request = Wire.DrawRequest(model: "tiny", prompt: "red", seeds: seeds)
    request.steps = steps
    return request
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct DiffusionServiceTests {
    @Test func `each step is a message, and each picture is the pipeline's own`() async throws {
        let studio = try Studio()
        let (steps, pictures) = try await studio.draw(request(seeds: [5, 6, 7]))
        #expect(steps == [1, 2, 3, 4])
        #expect(pictures.map { $0.0.seed } == [5, 6, 7] && pictures.map { $0.0.index } == [0, 1, 2])
        for (drawn, file) in pictures {
            var alone = DiffusionRequest(prompt: "red", seeds: [drawn.seed])
            alone.steps = 4
            var job = try studio.pipeline.makeJob(alone)
            while !job.isFinished { _ = try job.step() }
            #expect(Array(try job.pictures()[0].png()) == file)
        }
    }

    @Test func `drawings that take turns are as if alone`() async throws {
        let studio = try Studio()
        let alone = try await studio.draw(request(seeds: [9], steps: 7)).pictures[0].1
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for steps in [3, 5, 7, 7, 2, 7] as [UInt32] {
                group.addTask { try await studio.draw(request(seeds: [9], steps: steps)).pictures[0].1 }
            }
            var equal = 0
            for try await file in group where file == alone { equal += 1 }
            #expect(equal == 3)
        }
    }

    @Test func `a drawing of many pixels does not hold up one of few by its number of steps`() async throws {
        let wide = try DiffusionPipeline(
            directory: goldens + "/tiny", device: Device(threadCount: 1), largestSide: 256)
        let studio = try Studio(pipeline: wide)
        var large = request(steps: 40)
        (large.width, large.height) = (64, 64)
        let updates = try await studio.stream(large)
        _ = try await updates.next()
        // Each step of the large one takes as long as dozens of the small one's.
        _ = try await studio.draw(request(steps: 40))
        var last: UInt32 = 0
        while let update = try await updates.next() {
            if update.message.picture == nil { last = max(last, update.message.step) }
            // What had come when the small one was done is here at once; the rest is still to be computed.
            if studio.gauge.report.outstanding > 0 { break }
        }
        #expect(last < 40 && studio.gauge.report.outstanding > 0)
        updates.cancel()
    }

    @Test func `a step ends early when its caller goes, and shows that it gets on`() throws {
        let device = Device(threadCount: 1)
        let pipeline = try DiffusionPipeline(directory: goldens + "/tiny", device: device, largestSide: 256)
        var request = DiffusionRequest(prompt: "red", seeds: [1])
        (request.width, request.height, request.steps) = (64, 64, 2)
        var job = try pipeline.makeJob(request)
        let asked = Atomic(0)
        let error = #expect(throws: DiffusionError.self) {
            _ = try device.interruptible({ asked.add(1, ordering: .relaxed).newValue > 20 }) {
                () throws(DiffusionError) in try job.step()
            }
        }
        #expect(error?.code == .cancelled && job.completedSteps == 0)
        // Nothing of it is left: the step is as if it had been asked for first.
        _ = try job.step()
        var fresh = try pipeline.makeJob(request)
        _ = try fresh.step()
        #expect(try job.latents().floats == fresh.latents().floats)
    }

    @Test func `what cannot end in time by the fastest steps so far is refused at once`() async throws {
        let studio = try Studio()
        // Before anything is known everything is tried.
        _ = try await studio.draw(request(steps: 3))
        var long = request(seeds: Array(0..<10), steps: 1_000)
        (long.width, long.height) = (16, 16)
        await #expect(throws: RPCError.self) {
            let updates = try await studio.client.stream(
                Wire.Diffusion.draw, long, CallOptions(timeout: .milliseconds(200)))
            _ = try await updates.next()
        }
        #expect(studio.gauge.report.outstanding == 0)
    }

    @Test func `sizes beyond what the model is for are refused unless the operator allows them`() throws {
        let device = Device(threadCount: 1)
        let plain = try DiffusionPipeline(directory: goldens + "/tiny", device: device)
        let wide = try DiffusionPipeline(directory: goldens + "/tiny", device: device, largestSide: 128)
        for (side, isPlain, isWide) in [
            (8, true, true), (16, true, true), (32, false, true), (128, false, true), (256, false, false),
        ] {
            var request = DiffusionRequest(prompt: "red", seeds: [1])
            (request.width, request.height) = (side, side)
            for (pipeline, isAllowed) in [(plain, isPlain), (wide, isWide)] {
                if isAllowed {
                    _ = try pipeline.makeJob(request)
                } else {
                    let error = #expect(throws: DiffusionError.self) { try pipeline.makeJob(request) }
                    #expect(error?.field == "size" && error?.message.contains("8x8") == true)
                }
            }
        }
    }

    @Test func `a suspect says that it starts, and its checkpoints lead to the same picture`() async throws {
        let studio = try Studio()
        let whole = try await studio.draw(request(seeds: [5, 6])).pictures.map(\.1)
        var suspect = request(seeds: [5, 6])
        suspect.crashesWithoutProgress = 1
        var checkpoints: [UInt32: Messages.Attachment] = [:]
        let updates = try await studio.stream(suspect)
        #expect(try await updates.next()?.message.isStart == true)
        while let update = try await updates.next() {
            #expect(!update.message.isStart)
            if update.message.isCheckpoint { checkpoints[update.message.step] = update.attachments.first }
        }
        // Where its reader is slow, the latest is enough.
        #expect(checkpoints[4] != nil)
        for (step, checkpoint) in checkpoints {
            var rest = request(seeds: [5, 6])
            rest.resumes = true
            let (steps, pictures) = try await studio.draw(rest, [checkpoint])
            #expect(steps == Array((1...4).dropFirst(Int(step))) && pictures.map(\.1) == whole)
        }
    }

    @Test func `previews come after their steps and before the checkpoint, and leave the pictures as they are`()
        async throws
    {
        let studio = try Studio()
        let whole = try await studio.draw(request(seeds: [5, 6], steps: 8)).pictures.map(\.1)
        var previewed = request(seeds: [5, 6], steps: 8)
        previewed.partialImages = 3
        previewed.crashesWithoutProgress = 1
        var seen: [String] = [], pictures: [[UInt8]] = [], checkpoints: [UInt32: Messages.Attachment] = [:]
        let updates = try await studio.stream(previewed)
        while let update = try await updates.next() {
            if let preview = update.message.preview {
                seen.append("\(update.message.step): \(preview.picture)/\(preview.index)")
                #expect(checkpoints[update.message.step] == nil && (preview.width, preview.height) == (8, 8))
                #expect(try #require(update.attachments.first).array.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
            } else if update.message.picture != nil {
                pictures.append(try #require(update.attachments.first).array)
            } else if update.message.isCheckpoint {
                checkpoints[update.message.step] = update.attachments.first
            }
        }
        #expect(seen == ["2: 0/0", "2: 1/0", "4: 0/1", "4: 1/1", "6: 0/2", "6: 1/2"] && pictures == whole)
        // Who goes on from a checkpoint sends the previews that are still to come.
        for (step, checkpoint) in checkpoints where step < 8 {
            previewed.resumes = true
            let rest = try await studio.stream(previewed, [checkpoint])
            var later: [UInt32] = []
            while let update = try await rest.next() {
                if let preview = update.message.preview, preview.picture == 0 { later.append(preview.index) }
            }
            #expect(later == [0, 1, 2].filter { ($0 + 1) * 2 > step })
        }
        (previewed.partialImages, previewed.resumes) = (4, false)
        await #expect {
            _ = try await studio.stream(previewed).next()
        } throws: {
            ($0 as? RPCError)?.field == "partial_images"
        }
    }

    @Test func `a checkpoint that is none, or another drawing's, is refused`() async throws {
        let studio = try Studio()
        var pipeline = DiffusionRequest(prompt: "", seeds: [1])
        pipeline.steps = 5
        let other = try studio.pipeline.makeJob(pipeline).checkpoint.bytes
        for attachments in [[], [Messages.Attachment([1, 2, 3])], [Messages.Attachment(other)]] {
            var rest = request()
            rest.resumes = true
            let refused = rest
            let error = await #expect(throws: RPCError.self) { _ = try await studio.draw(refused, attachments) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `a cancelled drawing leaves the engine at once`() async throws {
        var options = DiffusionEngine.Options()
        options.runningLimit = 1
        let studio = try Studio(options)
        do {
            let updates = try await studio.stream(request(steps: 1_000))
            #expect(try await updates.next()?.message.step == 1)
        }
        // The stream has been let go: what is left of its thousand steps is given up.
        // The next drawing has its turn only then.
        #expect(try await studio.draw(request()).pictures.count == 1)
        #expect(studio.gauge.report.steps < 1_000)
    }

    @Test func `a full house refuses`() async throws {
        var options = DiffusionEngine.Options()
        (options.runningLimit, options.queueLimit) = (1, 1)
        let studio = try Studio(options)
        let first = try await studio.stream(request(steps: 1_000))
        _ = try await first.next()
        // One drawing runs and one may wait: of two more, one is refused long before the first has ended.
        await withTaskGroup(of: RPCError?.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do { _ = try await studio.draw(request(steps: 1_000)) } catch { return error as? RPCError }
                    return nil
                }
            }
            let error = await group.next() ?? nil
            #expect(error?.code == .resourceExhausted && error?.notStarted == true)
            group.cancelAll()
        }
        withExtendedLifetime(first) {}
    }

    @Test(
        arguments: [
            { $0.seeds = [] }, { $0.seeds = Array(0..<17) }, { $0.steps = 0 }, { $0.steps = 100_000 },
            { $0.guidanceScale = .nan }, { $0.guidanceScale = -1 }, { $0.width = 7 }, { $0.height = 1 << 31 },
            { $0.eta = .infinity },
        ] as [@Sendable (inout Wire.DrawRequest) -> Void])
    func `what no drawing can be is refused`(_ change: @Sendable (inout Wire.DrawRequest) -> Void) async throws {
        let studio = try Studio()
        var bad = request()
        change(&bad)
        let error = await #expect(throws: RPCError.self) { try await studio.draw(bad) }
        #expect(error?.code == .invalidArgument)
        #expect(try await studio.draw(request()).pictures.count == 1)
    }

    @Test func `another model is not drawn`() async throws {
        let studio = try Studio()
        let error = await #expect(throws: RPCError.self) {
            try await studio.draw(Wire.DrawRequest(model: "other", prompt: "", seeds: [1]))
        }
        #expect(error?.code == .notFound)
    }
}
