import DiffusionModels
import DiffusionService
import Foundation
import Messages
import ModelServing
import RPC
import Synchronization
import Tensors
import Testing

private let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("DiffusionModelsTests/Goldens").path

/// A diffusion service in this process that lets its model go when nobody draws.
private final class Instance: Sendable {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    let server: RPCServer
    let client: RPCClient
    private let network: InProcessNetwork
    private let box = Box()

    /// What the callbacks know of the instance.
    final class Box: Sendable {
        let counts = Mutex<(unloaded: Int, loaded: Int)>((0, 0))
        let available = Mutex<Int?>(nil)
    }

    var counts: (unloaded: Int, loaded: Int) { box.counts.withLock { $0 } }

    func setAvailable(_ bytes: Int?) { box.available.withLock { $0 = bytes } }

    init(idle: Duration = .milliseconds(40), startsAway: Bool = false, turns: String? = nil) throws {
        let place = directory + "/model", box = box
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: goldens + "/tiny", toPath: place)
        network = try InProcessNetwork()
        var unload = DiffusionRevisionLoader.Unload(after: idle)
        (unload.startsAway, unload.turns) = (startsAway, LoadTurns(file: turns))
        unload.told = { isUnloaded in
            box.counts.withLock { if isUnloaded { $0.unloaded += 1 } else { $0.loaded += 1 } }
        }
        let loader = DiffusionRevisionLoader(
            name: "tiny", on: Device(threadCount: 1), room: MemoryRoom { box.available.withLock { $0 } },
            unload: unload, directory: { place })
        let gauge = LoadGauge(capacity: 4)
        let service = DiffusionService(
            try loader.first(), engine: try DiffusionEngine(gauge: gauge), linger: .milliseconds(20)
        ) { try loader.next(after: $0) }
        server = RPCServer(
            service.description(capacity: 4), services: [service], transports: [network.server("draw")], gauge: gauge)
        service.keepDescribed(by: server)
        try server.start()
        client = try RPCClient(
            target: "draw", resolver: StaticResolver(addresses: ["draw"]), transport: network.client)
    }

    func close() {
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func untilAway() async throws {
        while counts.unloaded == counts.loaded { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// The file of a picture.
    func picture(steps: UInt32 = 4) async throws -> [UInt8] {
        var request = Wire.DrawRequest(model: "tiny", prompt: "red", seeds: [7])
        request.steps = steps
        let updates = try await client.stream(Wire.Diffusion.draw, request, CallOptions(timeout: .seconds(60)))
        var file: [UInt8] = []
        while let update = try await updates.next() {
            if update.message.picture != nil { file = update.attachments.first?.array ?? [] }
        }
        return file
    }
}

@Suite(.timeLimit(.minutes(5))) struct IdlePipelineTests {
    @Test func `an image model that nobody asks for goes, stays described, and draws the same picture again`()
        async throws
    {
        let instance = try Instance()
        defer { instance.close() }
        let described = instance.server.description.models
        let first = try await instance.picture()
        #expect(first.count > 60)
        for time in 1...3 {
            try await instance.untilAway()
            #expect(instance.server.description.models == described)
            #expect(try await instance.picture() == first)
            #expect(instance.counts.loaded >= time)
        }
    }

    @Test func `drawings wait together while it is loaded, and it stays while one is drawn`() async throws {
        let instance = try Instance(idle: .milliseconds(1))
        defer { instance.close() }
        try await instance.untilAway()
        let before = instance.counts.loaded
        let files = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<6 { group.addTask { try await instance.picture(steps: 30) } }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(files.count == 1 && files.first?.isEmpty == false)
        #expect(instance.counts.loaded - before <= 6 && instance.counts.loaded > before)
    }

    @Test func `one that may not stay goes at once, and there is no room and room again`() async throws {
        let instance = try Instance(idle: .seconds(30), startsAway: true)
        defer { instance.close() }
        try await instance.untilAway()
        instance.setAvailable(1 << 10)
        let error = await #expect(throws: RPCError.self) { try await instance.picture() }
        #expect(error?.code == .resourceExhausted && error?.reason == "insufficient_memory")
        instance.setAvailable(nil)
        #expect(try await !instance.picture().isEmpty)
        #expect(instance.counts.loaded == 1 && instance.counts.unloaded == 1)
    }

    @Test func `files that changed meanwhile become a new revision`() async throws {
        let instance = try Instance()
        defer { instance.close() }
        let before = instance.server.description.models[0].numericsID
        try await instance.untilAway()
        let place = instance.directory + "/model"
        let file = try #require(
            FileManager.default.subpathsOfDirectory(atPath: place).first { $0.hasSuffix("config.json") })
        let url = URL(fileURLWithPath: place + "/" + file)
        try (Data(contentsOf: url) + Data("\n".utf8)).write(to: url)
        let error = await #expect(throws: RPCError.self) { try await instance.picture() }
        #expect(error?.code == .unavailable && error?.notStarted == true)
        while instance.server.description.models[0].numericsID == before {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(try await !instance.picture().isEmpty)
    }

    @Test func `of those that take turns one has it at a time`() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: file) }
        // How many hold it, how many have at most, and how often somebody has.
        let holders = Mutex((now: 0, most: 0, all: 0))
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<50 {
                let turn = try? LoadTurns(file: file).take()
                holders.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.all + (turn == nil ? 0 : 1)) }
                // Others that could take it now would.
                sched_yield()
                holders.withLock { $0.now -= 1 }
                turn?.end()
            }
        }
        #expect(holders.withLock { $0.most } == 1 && holders.withLock { $0.all } == 200)
        _ = try LoadTurns(file: nil).take()
        #expect(throws: RPCError.self) { try LoadTurns(file: "/nowhere/at/all").take() }
    }
}
