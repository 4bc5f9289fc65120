import Benchmarks
import Foundation
import Messages
import RPC
import Testing
import ZeroMQ
import ZeroMQTransport

/// What strangers send: refused, and everybody else goes on.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct HostilePeerTests {
    /// A server and the path of its socket, a good client of it.
    private func served(
        timing: BusTiming = BusTiming(), limits: BusLimits = BusLimits()
    ) throws -> (fixture: Fixture, server: RPCServer, client: RPCClient, path: String) {
        let fixture = try Fixture(.ipc, limits: limits, timing: timing)
        let (server, address) = try fixture.serve()
        return (fixture, server, try fixture.client(address), String(address.dropFirst("ipc://".count)))
    }

    /// Off the Swift pool: raw peers block.
    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    static let header = FrameHeader(.ping(1)).encoded()
    static let ping = packet(header)
    static let messages: [(name: String, parts: [[UInt8]])] = [
        ("an empty part", [[]]),
        ("two parts", [ping, ping]),
        ("10,000 parts", [[UInt8]](repeating: ping, count: 10_000)),
        ("garbage", [[0xff, 0xff, 0xff, 0xff]]),
        ("counts beyond the packet", [[UInt8](repeating: 0xff, count: 64)]),
        ("an empty header", [packet([])]),
        ("a truncated header", [packet(Array(header.dropLast()))]),
        ("a truncated packet", [Array(ping.dropLast())]),
        ("a whole frame and a truncated one", [ping + ping.dropLast()]),
        ("a header beyond its limit", [packet([UInt8](repeating: 0, count: 20_000))]),
        ("a server's frame", [packet(FrameHeader(call: 1, .message(attachmentSizes: [])).encoded())]),
        ("another version", [packet([8, 99] + header.dropFirst(2))]),
    ]

    /// One frame as it travels.
    static func packet(_ header: [UInt8], _ body: [UInt8] = []) -> [UInt8] {
        var packet: [UInt8] = []
        body.withSpan { Packet.append(header, $0, to: &packet) }
        return packet
    }

    @Test("a malformed message ends its sender's connection and nobody else's", arguments: messages.indices)
    func malformed(_ index: Int) async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [1]))
        let parts = Self.messages[index].parts
        try await blocking {
            let peer = try RawPeer(path: path)
            peer.handshake()
            for (number, part) in parts.enumerated() { peer.send(part: part, more: number < parts.count - 1) }
            peer.waitForEnd()
        }
        #expect(server.refusedPeers == 1)
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
        #expect(server.peerCount == 1)
    }

    @Test("an endless message is cut off and memory stays bounded")
    func endless() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
        let before = Heap.bytesInUse
        let peak = try await blocking {
            let peer = try RawPeer(path: path)
            peer.handshake()
            let part = [UInt8](repeating: 0, count: 1 << 20)
            var peak = 0
            while peer.send(part: part, more: true) { peak = max(peak, Heap.bytesInUse - before) }
            return peak
        }
        #expect(peak < 2 << 30, "an unfinished message took \(peak >> 20) MiB")
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
    }

    @Test("a connected peer that goes over to an endless message is cut off too")
    func endlessLater() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
        let before = Heap.bytesInUse
        let peak = try await blocking {
            let peer = try RawPeer(path: path)
            peer.handshake()
            peer.send(part: Self.ping, more: false)
            let part = [UInt8](repeating: 0, count: 64)
            var peak = 0
            var count = 0
            while peer.send(part: part, more: true) {
                count += 1
                if count % 10_000 == 0 { peak = max(peak, Heap.bytesInUse - before) }
            }
            return peak
        }
        #expect(peak < 2 << 30, "an unfinished message took \(peak >> 20) MiB")
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
    }

    @Test("a part beyond the message limit ends the connection")
    func largePart() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        try await blocking {
            let peer = try RawPeer(path: path)
            peer.handshake()
            // Announces 1 TiB: nothing of that size is allocated.
            peer.send([2, 0, 0, 1, 0, 0, 0, 0, 0])
            peer.waitForEnd()
        }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
    }

    @Test("a peer that says nothing is shut out after the silence, half a greeting or a whole one")
    func silent() async throws {
        var timing = BusTiming()
        timing.silence = .milliseconds(300)
        timing.heartbeat = .milliseconds(50)
        let (fixture, server, client, path) = try served(timing: timing)
        defer { withExtendedLifetime(fixture) { server.stop() } }
        try await blocking {
            let mute = try RawPeer(path: path)
            let polite = try RawPeer(path: path)
            polite.handshake()
            mute.waitForEnd()
            polite.waitForEnd()
        }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
    }

    @Test("a peer that dies in the middle of a message harms nobody")
    func truncated() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        try await blocking {
            for cut in [1, 5, 40] {
                let peer = try RawPeer(path: path)
                peer.handshake()
                peer.send(part: Self.ping, more: true)
                peer.send(Array(([3, 0, 0, 0, 0, 0, 0, 0, 200] + [UInt8](repeating: 1, count: 200)).prefix(cut)))
            }
        }
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
        try await client.waitUntil { $0.count == 1 }
        #expect(server.refusedPeers == 0)
    }

    @Test("calls that break the rules fail alone: what, and that it was not started, is said")
    func badCalls() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        var large = CallStart(method: Wire.Echo.echoLater.path, creditMessages: 1, creditBytes: 1)
        large.attachmentSizes = [65 << 20]
        var many = large
        many.attachmentSizes = [Int](repeating: 1, count: 9)
        let ordinary = CallStart(method: Wire.Echo.echoLater.path, creditMessages: 1, creditBytes: 1)
        var chunked = ordinary
        chunked.attachmentSizes = [10]
        typealias Case = (frames: [(FrameHeader, [UInt8])], code: RPCError.Code)
        let cases: [Case] = [
            ([(FrameHeader(call: 1, .call(large)), [])], .resourceExhausted),
            ([(FrameHeader(call: 1, .call(many)), [])], .resourceExhausted),
            ([(FrameHeader(call: 1, sequence: 7, .call(ordinary)), [])], .internalError),
            ([(FrameHeader(call: 0, .call(ordinary)), [])], .internalError),
            ([(FrameHeader(call: 1, .call(ordinary)), [0xff])], .invalidArgument),
            (
                [
                    (FrameHeader(call: 1, .call(chunked)), []),
                    (FrameHeader(call: 1, sequence: 1, .chunk(attachment: 0, offset: 5)), [1]),
                ], .internalError
            ),
            (
                [
                    (FrameHeader(call: 1, .call(chunked)), []),
                    (FrameHeader(call: 1, sequence: 2, .chunk(attachment: 0, offset: 0)), [1]),
                ], .unavailable
            ),
        ]
        for (frames, code) in cases {
            let end: FrameHeader = try await blocking { () throws -> FrameHeader in
                let peer = try RawPeer(path: path)
                peer.handshake()
                for (header, body) in frames {
                    peer.send(part: Self.packet(header.encoded(), body), more: false)
                }
                // The server's answer: a short packet, its first frame's header behind the counts.
                guard let head = peer.read(2), let packet = peer.read(Int(head[1])) else { throw ConnectionEnded() }
                return try FrameHeader(decoding: Array(packet.dropFirst(Packet.prefixBytes).prefix(Int(packet[0]))))
            }
            guard case .end(let end) = end.content else {
                Issue.record("expected END, got \(end.content)")
                continue
            }
            #expect(RPCError.Code(rawValue: end.code) == code, "\(end.message)")
        }
        #expect(server.runningCalls == 0)
        #expect(try await client.call(Wire.Echo.echo, Wire.EchoRequest(payload: [2])).message.payload == [2])
    }

    @Test("tcp beyond this machine is refused unless insecurity is said aloud")
    func insecureBind() throws {
        let transport = try ZeroMQTransport()
        for endpoint in ["tcp://*:*", "tcp://0.0.0.0:*", "tcp://127.0.0.1.example.org:1", "tcp://[::]:*"] {
            let server = transport.server(endpoint, allowsInsecure: false)
            let error = #expect(throws: RPCError.self) {
                try RPCServer(ServiceDescription(service: "echo"), services: [], transports: [server]).start()
            }
            #expect(error?.code == .permissionDenied)
        }
        let open = RPCServer(
            ServiceDescription(service: "echo"), services: [],
            transports: [transport.server("tcp://0.0.0.0:*", allowsInsecure: true)])
        #expect(try open.start()[0].hasPrefix("tcp://0.0.0.0:"))
        open.stop()
    }

    @Test("an ipc path that is served already is not bound again")
    func doubleBind() async throws {
        let (fixture, server, client, path) = try served()
        defer { withExtendedLifetime(fixture) { server.stop() } }
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
        let error = #expect(throws: RPCError.self) { try fixture.serve(at: "ipc://\(path)") }
        #expect(error?.code == .alreadyExists)
        _ = try await client.call(Wire.Echo.echo, Wire.EchoRequest())
    }
}

private struct ConnectionEnded: Error {}
