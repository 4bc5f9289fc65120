import Benchmarks
import Concurrency
import Messages
import RPC
import Synchronization

/// A server's and a client's end of a connection, and what a peer may send them: packets of frames, in any order.
struct FrameTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let transport = LoneTransport()
    private let server: RPCServer
    private let dialled = LoneClientTransport()
    private let client: RPCClient

    init() throws {
        let headers = MessageTarget.headers
        var echo = CallStart(method: "nephele.v1.Echo/Echo", creditMessages: 4, creditBytes: 1 << 16)
        var packets: [[UInt8]] = headers.map { Self.packet([$0], body: [1, 2, 3]) }
        packets.append(Self.packet(headers))
        packets.append(Self.packet([FrameHeader(call: 1, .call(echo))], body: Wire.EchoRequest(payload: [1]).encoded()))
        echo.attachmentSizes = [4]
        packets.append(
            Self.packet(
                [
                    FrameHeader(call: 3, .call(echo)),
                    FrameHeader(call: 3, sequence: 1, .chunk(attachment: 0, offset: 0)),
                ],
                body: [1, 2, 3, 4]))
        var count = CallStart(method: "nephele.v1.Echo/Count", creditMessages: 4, creditBytes: 1 << 16)
        count.timeout = .milliseconds(5)
        packets.append(
            Self.packet(
                [FrameHeader(call: 5, .call(count)), FrameHeader(call: 5, .cancel(reason: ""))],
                body: Wire.CountRequest(count: 3, payloadSize: 9).encoded()))
        samples = packets
        server = RPCServer(
            ServiceDescription(service: "echo"), services: [EchoService()], transports: [transport])
        try server.start()
        client = try RPCClient(
            target: "lone", resolver: StaticResolver(addresses: ["lone"]), transport: dialled)
    }

    mutating func run(_ input: [UInt8]) throws {
        let ends = [transport.connect(), dialled.connect()].compactMap { $0 }
        for end in ends {
            input.withSpan { bytes in
                Packet.forEachFrame(in: bytes) { header, body in end.receive(header, body) }
            }
            end.heard()
            _ = end.tick(.now)
            end.linkDown("the case has ended")
        }
        guard server.peerCount <= 1 else { throw FuzzFinding(description: "\(server.peerCount) peers are still there") }
    }

    private static func packet(_ headers: [FrameHeader], body: [UInt8] = []) -> [UInt8] {
        var packet: [UInt8] = []
        for header in headers {
            body.withSpan { Packet.append(header.encoded(), $0, to: &packet) }
        }
        return packet
    }
}

/// Sends into nowhere.
private final class SilentLink: FrameLink {
    func send(encoded header: [UInt8], _ body: FrameBody, canWait: Bool) { body.withSpan { _ in } }
    func tickSoon() {}
    func close() {}
}

private final class LoneTransport: ServerTransport {
    /// In a struct: a closure that is a generic type's whole value is wrapped anew whenever it is read.
    private struct Acceptor: Sendable {
        var accept: (@Sendable (any FrameLink) -> any FrameReceiver)?
    }

    private let acceptor = Mutex(Acceptor())

    func start(accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver) throws -> String {
        acceptor.withLock { $0.accept = accept }
        return "lone"
    }

    func stop() {}
    func connect() -> (any FrameReceiver)? { acceptor.withLock { $0 }.accept?(SilentLink()) }
}

/// The client dials whenever its connection is lost; the receivers that it makes are taken one by one.
private final class LoneClientTransport: ClientTransport {
    private let receivers = Mutex<[any FrameReceiver]>([])

    func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws {
        let made = receiver(SilentLink())
        receivers.withLock { $0.append(made) }
    }

    func connect() -> (any FrameReceiver)? { receivers.withLock { $0.popLast() } }
}
