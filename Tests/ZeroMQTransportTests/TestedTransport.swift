import Benchmarks
import Foundation
import Messages
import RPC
import Synchronization
import Testing
import ZeroMQTransport

/// The ways frames travel that the contract suite runs over.
enum TestedTransport: String, CaseIterable, CustomTestStringConvertible {
    case inProcess, zmqInproc, ipc, tcp, tcpWithKeys

    var testDescription: String { rawValue }
}

/// One server side and one client side of a wire, in one process.
final class Fixture: Sendable {
    let wire: TestedTransport
    let limits: BusLimits
    let timing: BusTiming
    let network: InProcessNetwork
    let transport: ZeroMQTransport
    let directory: URL

    init(_ wire: TestedTransport, limits: BusLimits = BusLimits(), timing: BusTiming = BusTiming()) throws {
        self.wire = wire
        self.limits = limits
        self.timing = timing
        network = try InProcessNetwork()
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "nph-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var keys: BusKeys?
        if wire == .tcpWithKeys {
            _ = try KeyRing(directory: directory.path + "/keys").update(["echo"])
            keys = try BusKeys(directory: directory.path + "/keys/echo")
        }
        transport = try ZeroMQTransport(limits: limits, timing: timing, keys: keys)
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
        case .tcp, .tcpWithKeys: "tcp://127.0.0.1:*"
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
    typealias Unary =
        @Sendable (ServerRequest<Wire.EchoRequest>, ServerContext) async throws -> ServerReply<Wire.EchoReply>
    typealias Stream =
        @Sendable (ServerRequest<Wire.CountRequest>, ReplyWriter<Wire.CountReply>, ServerContext) async throws -> Void

    var unary: Unary = { request, _ in ServerReply(Wire.EchoReply(payload: request.message.payload)) }
    var stream: Stream = { _, _, _ in }

    func register(with router: inout RPCRouter) {
        router.immediate(Wire.Echo.echo) { request, _ in ServerReply(Wire.EchoReply(payload: request.message.payload)) }
        router.unary(Wire.Echo.echoLater, unary)
        router.serverStreaming(Wire.Echo.count, stream)
    }
}

/// Lets one side of a test wait until the other has come somewhere.
final class Gate: Sendable {
    private enum State {
        case closed([CheckedContinuation<Void, any Error>])
        case open
        case failed(any Error)
    }

    private let state = Mutex(State.closed([]))

    func open() { settle(.open) }

    /// Nobody will open it: whoever waits gets the error. Nothing once it is open.
    func fail(_ error: any Error) { settle(.failed(error)) }

    private func settle(_ new: State) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, any Error>] in
            guard case .closed(let waiters) = state else { return [] }
            state = new
            return waiters
        }
        for waiter in waiters {
            if case .failed(let error) = new { waiter.resume(throwing: error) } else { waiter.resume() }
        }
    }

    /// - Throws: what `fail` was given; `CancellationError` when the test's time is over.
    func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let settled = state.withLock { state -> Result<Void, any Error>? in
                    switch state {
                    case .open: return .success(())
                    case .failed(let error): return .failure(error)
                    case .closed(let waiters):
                        state = .closed(waiters + [continuation])
                        return nil
                    }
                }
                if let settled { continuation.resume(with: settled) }
            }
        } onCancel: {
            fail(CancellationError())
        }
    }

    /// Starts a call whose handler opens the gate; one that fails before is told to whoever waits.
    func opened<Value: Sendable>(by call: @escaping @Sendable () async throws -> Value) -> Task<Value, any Error> {
        Task {
            do {
                return try await call()
            } catch {
                fail(error)
                throw error
            }
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
