import Benchmarks
import Foundation
import Messages
import RPC
import Synchronization
import Testing
import ZeroMQTransport

/// The ways frames travel that the contract suite runs over.
enum Wire: String, CaseIterable, CustomTestStringConvertible {
    case inProcess, zmqInproc, ipc, tcp

    var testDescription: String { rawValue }
}

/// One server side and one client side of a wire, in one process.
final class Fixture: Sendable {
    let wire: Wire
    let limits: BusLimits
    let timing: BusTiming
    let network: InProcessNetwork
    let transport: ZeroMQTransport
    let directory: URL

    init(_ wire: Wire, limits: BusLimits = BusLimits(), timing: BusTiming = BusTiming()) throws {
        self.wire = wire
        self.limits = limits
        self.timing = timing
        network = try InProcessNetwork()
        transport = try ZeroMQTransport(limits: limits, timing: timing)
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "nph-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    /// An address that is free.
    var freshEndpoint: String {
        let name = ServiceDescription.newInstanceID().prefix(12)
        return switch wire {
        case .inProcess: "echo-\(name)"
        case .zmqInproc: "inproc://echo-\(name)"
        case .ipc: "ipc://\(directory.path)/echo-\(name).sock"
        case .tcp: "tcp://127.0.0.1:*"
        }
    }

    func serverTransport(_ endpoint: String) -> any ServerTransport {
        wire == .inProcess ? network.server(endpoint) : transport.server(endpoint)
    }

    func serve(
        _ services: [any RPCService] = [EchoService()], at endpoint: String? = nil,
        describe: (inout ServiceDescription) -> Void = { _ in }
    ) throws -> (server: RPCServer, address: String) {
        var description = ServiceDescription(service: "echo")
        describe(&description)
        let server = RPCServer(
            description, services: services, transports: [serverTransport(endpoint ?? freshEndpoint)], limits: limits,
            timing: timing)
        return (server, try server.start()[0])
    }

    func client(_ addresses: String...) throws -> RPCClient {
        try client(resolver: StaticResolver(addresses: addresses))
    }

    func client(resolver: any Resolver) throws -> RPCClient {
        try RPCClient(
            target: "test", resolver: resolver, transport: wire == .inProcess ? network.client : transport,
            limits: limits, timing: timing)
    }
}

/// Methods of the echo service with handlers of the test's own.
struct Scripted: RPCService {
    typealias Unary = @Sendable (ServerRequest<EchoRequest>, ServerContext) async throws -> ServerReply<EchoReply>
    typealias Stream =
        @Sendable (ServerRequest<CountRequest>, ReplyWriter<CountReply>, ServerContext) async throws -> Void

    var unary: Unary = { request, _ in ServerReply(EchoReply(payload: request.message.payload)) }
    var stream: Stream = { _, _, _ in }

    func register(with router: inout RPCRouter) {
        router.immediate(Echo.echo) { request, _ in ServerReply(EchoReply(payload: request.message.payload)) }
        router.unary(Echo.echoLater, unary)
        router.serverStreaming(Echo.count, stream)
    }
}

/// Lets one side of a test wait until the other has come somewhere.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// Suspends until the task is cancelled; then tells `gate`.
func untilCancelled(_ gate: Gate) async throws {
    let (forever, continuation) = AsyncStream<Void>.makeStream()
    await withTaskCancellationHandler {
        for await _ in forever {}
    } onCancel: {
        continuation.finish()
    }
    gate.open()
    throw CancellationError()
}

/// The error that `body` throws.
func rpcError<Value>(_ body: () async throws -> Value) async -> RPCError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}
