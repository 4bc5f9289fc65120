import Foundation
import Messages
import RPC
import Synchronization
import Testing

@testable import Gateway

/// A drawing whose instances come and go; what they send is made up, for the gateway does not look into it.
@Suite(.timeLimit(.minutes(10))) struct ResumableDrawingTests {
    /// What instances do with the calls as they come, and what they were called with.
    private final class Script: Sendable {
        enum Event: Sendable {
            case step(UInt32), checkpoint(UInt32), start, picture(UInt32), preview(UInt32, UInt32), die
        }

        private let state: Mutex<(turns: [[Event]], calls: [(Wire.DrawRequest, [[UInt8]])], metadata: [Metadata])>

        init(_ turns: [[Event]]) { state = Mutex((turns, [], [])) }

        var calls: [(Wire.DrawRequest, [[UInt8]])] { state.withLock { $0.calls } }

        /// What went with each call.
        var metadata: [Metadata] { state.withLock { $0.metadata } }

        func next(_ request: ServerRequest<Wire.DrawRequest>, _ metadata: Metadata) -> [Event] {
            state.withLock { state in
                state.metadata.append(metadata)
                state.calls.append((request.message, request.attachments.map(\.array)))
                return state.turns.removeFirst()
            }
        }
    }

    private struct Service: RPCService {
        let script: Script
        let die: @Sendable () -> Void

        func register(with router: inout RPCRouter) {
            router.serverStreaming(Wire.Diffusion.draw) { request, writer, context in
                for event in script.next(request, context.metadata) {
                    var update = Wire.DrawUpdate(step: 0, steps: 4)
                    switch event {
                    case .step(let step): update.step = step
                    case .start: update.isStart = true
                    case .checkpoint(let step): (update.step, update.isCheckpoint) = (step, true)
                    case .picture(let index):
                        update.picture = Wire.DrawnPicture(index: index, seed: 1, width: 1, height: 1)
                    case .preview(let picture, let index):
                        update.preview = Wire.DrawPreview(picture: picture, index: index, width: 1, height: 1)
                    case .die:
                        die()
                        return
                    }
                    try await writer.write(update, attachments: Self.attachments(event))
                }
            }
        }

        static func attachments(_ event: Script.Event) -> [Messages.Attachment] {
            switch event {
            case .checkpoint(let step): [Messages.Attachment([7, UInt8(step)])]
            case .picture(let index): [Messages.Attachment([9, UInt8(index)])]
            case .preview(let picture, let index): [Messages.Attachment([8, UInt8(picture), UInt8(index)])]
            default: []
            }
        }
    }

    /// As many instances as there are turns.
    private func withInstances<Result>(
        _ turns: [[Script.Event]], _ body: (RPCClient, Script) async throws -> Result
    ) async throws -> Result {
        let script = Script(turns)
        let network = try InProcessNetwork()
        let names = turns.indices.map { "inproc://\($0)" }
        let holder = Servers()
        for name in names {
            var description = ServiceDescription(service: "diffusion")
            var model = ModelDescription(name: "tiny")
            (model.numericsID, model.modality) = ("same", "image")
            description.models = [model]
            let server = RPCServer(
                description, services: [Service(script: script) { holder.stop(name) }],
                transports: [network.server(name)])
            try server.start()
            holder.add(name, server)
        }
        let client = try RPCClient(
            target: "diffusion", resolver: StaticResolver(addresses: names), transport: network.client,
            interceptors: [RequestTrace.Propagation()])
        try await client.waitUntil { $0.count == names.count }
        defer {
            client.close()
            for name in names { holder.stop(name) }
        }
        return try await body(client, script)
    }

    /// What a reader sees of a drawing by as many instances as there are turns.
    private func draw(_ turns: [[Script.Event]]) async throws -> (seen: [String], error: RPCError?, script: Script) {
        try await withInstances(turns) { client, script in
            let (seen, error) = try await draw(by: client)
            return (seen, error, script)
        }
    }

    private func draw(by client: RPCClient) async throws -> (seen: [String], error: RPCError?) {
        var drawing = ResumableDrawing(
            Wire.DrawRequest(model: "tiny", prompt: "", seeds: [1, 2]), numericsID: "same",
            CallAttempts(client, model: "tiny", until: .now + .seconds(30)))
        var seen: [String] = []
        do {
            while let update = try await drawing.next() {
                let preview = update.preview.map { "preview \($0.drawn.picture) \($0.file.array)" }
                seen.append(
                    update.picture.map { "picture \($0.drawn.index) \($0.file.array)" } ?? preview ?? "\(update.step)")
            }
        } catch let error as RPCError {
            return (seen, error)
        }
        return (seen, nil)
    }

    private final class Servers: Sendable {
        private let servers = Mutex<[String: RPCServer]>([:])
        func add(_ name: String, _ server: RPCServer) { servers.withLock { $0[name] = server } }
        func stop(_ name: String) { servers.withLock { $0.removeValue(forKey: name) }?.stop() }
    }

    private static let whole = ["1", "2", "3", "4", "picture 0 [9, 0]", "picture 1 [9, 1]"]

    @Test func `it goes on from the last checkpoint, and nothing is told twice`() async throws {
        let (seen, error, script) = try await draw([
            [.step(1), .checkpoint(1), .step(2), .checkpoint(2), .step(3), .die],
            [.step(3), .step(4), .picture(0), .die], [.step(3), .step(4), .picture(0), .picture(1)],
        ])
        #expect(seen == Self.whole && error == nil)
        #expect(script.calls.map(\.1) == [[], [[7, 2]], [[7, 2]]])
        #expect(script.calls.map(\.0.resumes) == [false, true, true])
        #expect(script.calls.map(\.0.crashesWithoutProgress) == [0, 0, 0])
    }

    @Test func `previews neither come again nor are left out when a drawing moves`() async throws {
        let (seen, error, _) = try await draw([
            [.step(1), .checkpoint(1), .step(2), .preview(0, 0), .die],
            [.step(2), .preview(0, 0), .preview(1, 0), .checkpoint(2), .step(3), .preview(0, 1), .preview(1, 1), .die],
            [.step(3), .preview(0, 1), .preview(1, 1), .step(4), .picture(0), .picture(1)],
        ])
        #expect(error == nil)
        #expect(
            seen == [
                "1", "2", "preview 0 [8, 0, 0]", "preview 1 [8, 1, 0]", "3", "preview 0 [8, 0, 1]",
                "preview 1 [8, 1, 1]", "4", "picture 0 [9, 0]", "picture 1 [9, 1]",
            ])
    }

    @Test func `all pictures received are all that is wanted`() async throws {
        let (seen, error, script) = try await draw([
            [.step(1), .step(2), .step(3), .step(4), .picture(0), .picture(1), .die]
        ])
        #expect(seen == Self.whole && error == nil && script.calls.count == 1)
    }

    @Test func `one that takes its instances with it fails with the third`() async throws {
        let (seen, error, script) = try await draw([
            [.step(1), .die], [.step(1), .die], [.start, .step(1), .die], [.start, .die], [],
        ])
        // The first had a step; the second and third brought none that is new, nor the fourth.
        #expect(seen == ["1"] && error == .lostTooOften)
        #expect(script.calls.map(\.0.crashesWithoutProgress) == [0, 0, 1, 2])
    }

    @Test func `a stream's call that is made again belongs to the same request`() async throws {
        let turns: [[Script.Event]] = [
            [.step(1), .checkpoint(1), .die], [.step(2), .die], [.step(2), .step(3), .step(4), .picture(0)],
        ]
        try await withInstances(turns) { client, script in
            let gateway = Gateway(
                fleet: Fleet(diffusion: client), routing: try RoutingSource(file: nil),
                filters: try FilterSet(standard: "off"), labels: try LabelSource(labels: "off"))
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
            let reply = try await withServed(gateway) {
                try await postServed(
                    Data(#"{"model":"tiny","prompt":"x","seed":1,"stream":true}"#.utf8), to: "/v1/images/generations",
                    port: $0, headers: ["x-request-id": "mine", "traceparent": trace])
            }
            #expect(reply.headers["x-request-id"] == "mine" && reply.body.contains("image_generation.completed"))
            #expect(script.metadata.map { $0["x-request-id"] } == ["mine", "mine", "mine"])
            let parents = script.metadata.compactMap { $0["traceparent"] }
            #expect(parents.count == 3 && Set(parents).count == 3)
            #expect(parents.allSatisfy { $0.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") })
        }
    }
}
