internal import Concurrency
internal import Foundation
internal import Messages
package import RPC
internal import Synchronization
internal import ZeroMQ

/// The bus over ZeroMQ: `ipc://`, `tcp://` and `inproc://`. One context and one socket thread, for any number of
/// servers and clients of the process.
package final class ZeroMQTransport: ClientTransport {
    private let context: ZeroMQContext
    private let loop: SocketLoop
    /// Runs tasks on the socket thread: for light code (relays, fan-out) that does nothing but make calls and handle
    /// their replies. It saves two changes of thread a call; whatever blocks or computes there holds up the bus.
    package let executor: any TaskExecutor
    private let numbers = Atomic<UInt64>(1)
    private let limits: BusLimits
    private let timing: BusTiming
    /// Every tcp connection needs them, where there are any.
    fileprivate let keys: BusKeys?
    private let refusals: RefusalLog

    /// - Parameters:
    ///   - keys: to encrypt what goes over tcp, and to know who is who.
    ///   - onRefusal: hears of every peer that was not let in; the log has a line of it too.
    /// - Throws: `RPCError`, when the system gives no thread, descriptor or context.
    package init(
        limits: BusLimits = BusLimits(), timing: BusTiming = BusTiming(), keys: BusKeys? = nil,
        onRefusal: (@Sendable (Refusal) -> Void)? = nil
    ) throws {
        let refusals = RefusalLog(observer: onRefusal)
        self.refusals = refusals
        self.keys = keys
        do {
            context = try ZeroMQContext()
            let loop = try SocketLoop()
            let executor = LoopExecutor { loop.post(.run($0)) }
            _ = try DedicatedThread(name: "bus-sockets") { loop.run(executor) }
            self.loop = loop
            self.executor = executor
            if let keys {
                let admission = try AdmissionSocket(context)
                loop.post(.addAdmission(endpoint: 0, admission, keys, refusals))
            }
        } catch {
            throw RPCError(.resourceExhausted, "the bus could not start: \(error)", notStarted: true)
        }
        self.limits = limits
        self.timing = timing
    }

    deinit {
        loop.post(.stop)
    }

    private static let sharedTransport = Mutex<ZeroMQTransport?>(nil)

    /// Makes the process's own transport with the keys of a folder, before its first use; for nil nothing is done.
    ///
    /// - Throws: `RPCError` that names the file that is wrong with them.
    package static func share(keysIn folder: String?) throws {
        guard let folder else { return }
        let transport = try ZeroMQTransport(keys: try BusKeys(directory: folder))
        sharedTransport.withLock { shared in
            precondition(shared == nil, "the bus has been used before it was given its keys")
            shared = transport
        }
    }

    /// The process's own transport, made at the first use; with the keys of `NEPHELE_BUS_KEYS` where none were given.
    package static func shared() throws -> ZeroMQTransport {
        try sharedTransport.withLock { shared in
            if let shared { return shared }
            let transport = try ZeroMQTransport(keys: .ofEnvironment())
            shared = transport
            return transport
        }
    }

    /// What encryption adds to a message, rounded up.
    private static let curveBytes = 64

    private func socket(_ kind: ZeroMQSocket.Kind) throws -> (ZeroMQSocket, SocketMonitor) {
        let socket = try ZeroMQSocket(context, kind)
        try socket.setHighWaterMarks(16384)
        try socket.setMaximumPartSize(Outbox.maximumPacketBytes(limits) + (keys == nil ? 0 : Self.curveBytes))
        try socket.setHandshakeTimeout(3000)
        switch kind {
        case .router:
            try socket.makeRoutingMandatory()
            try socket.setLinger(2000)
        case .dealer: try socket.disableReconnecting()
        case .pair, .reply: break
        }
        return (socket, try SocketMonitor(context, watching: socket))
    }

    package func dial(_ address: String, _ receiver: (any FrameLink) -> any FrameReceiver) throws {
        try dial(address, host: Loopback.host(of: address) ?? "", receiver)
    }

    /// - Parameter host: whose key the server must have.
    func dial(
        _ address: String, host: String, _ receiver: (any FrameLink) -> any FrameReceiver
    ) throws {
        let number = numbers.add(1, ordering: .relaxed).newValue
        do {
            let (socket, monitor) = try socket(.dealer)
            var security = address.hasPrefix("tcp://") ? DialSecurity.open : .local
            if let keys, address.hasPrefix("tcp://") {
                try socket.connectWithKeys(keys.own, server: keys.serverKey(of: host))
                security = .keyed(host)
            }
            try socket.connect(address)
            let outbox = Outbox()
            let receiver = receiver(ClientLink(endpoint: number, outbox: outbox, loop: loop))
            loop.post(.addClient(endpoint: number, socket, monitor, outbox, receiver, security: security))
            // What was put in before the loop knew the endpoint.
            loop.post(.send(endpoint: number, route: .none))
        } catch let error as ZeroMQError {
            throw RPCError(.unavailable, "\(error): check the target", reason: "dial_failed", notStarted: true)
        }
    }

    /// How the instances of `target` are dialled.
    fileprivate func client(_ target: String) -> any ClientTransport {
        guard keys != nil, let host = Loopback.host(of: target) else { return self }
        return KeyedClientTransport(transport: self, host: host)
    }

    /// A place to serve at: `ipc:///path.sock`, `tcp://127.0.0.1:*`, `inproc://name`.
    ///
    /// Without keys tcp beyond this machine's own addresses is refused unless `NEPHELE_BUS_INSECURE=1`: nothing is
    /// encrypted, and strangers cannot be told from friends.
    package func server(_ endpoint: String, allowsInsecure: Bool? = nil) -> any ServerTransport {
        let allowsInsecure =
            allowsInsecure ?? (ProcessInfo.processInfo.environment["NEPHELE_BUS_INSECURE"] == "1")
        return ZeroMQServerTransport(transport: self, endpoint: endpoint, allowsInsecure: allowsInsecure)
    }

    fileprivate func bind(
        _ endpoint: String, accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver
    ) throws -> (address: String, number: UInt64) {
        if endpoint.hasPrefix("ipc://"), Connection.isListening(at: String(endpoint.dropFirst(6))) {
            throw RPCError(.alreadyExists, "somebody serves at \(endpoint); a socket file is named after its instance")
        }
        do {
            let (socket, monitor) = try socket(.router)
            let isKeyed = endpoint.hasPrefix("tcp://")
            if let keys, isKeyed { try socket.serveWithKeys(keys.own) }
            let address = try socket.bind(endpoint)
            let number = numbers.add(1, ordering: .relaxed).newValue
            let acceptor = ServerAcceptor(
                accept: accept, silence: timing.silence, keys: isKeyed ? keys : nil, refusals: refusals)
            loop.post(.addServer(endpoint: number, socket, monitor, acceptor))
            return (address, number)
        } catch let error as ZeroMQError {
            throw RPCError(
                error.isAddressInUse ? .alreadyExists : .unavailable, "\(error): choose another endpoint",
                reason: "bind_failed")
        }
    }

    fileprivate func unbind(_ number: UInt64) {
        loop.post(.close(endpoint: number))
    }
}

private final class ZeroMQServerTransport: ServerTransport {
    private let transport: ZeroMQTransport
    private let endpoint: String
    private let allowsInsecure: Bool
    private let bound = Mutex<UInt64?>(nil)

    init(transport: ZeroMQTransport, endpoint: String, allowsInsecure: Bool) {
        self.transport = transport
        self.endpoint = endpoint
        self.allowsInsecure = allowsInsecure
    }

    func start(accept: @escaping @Sendable (any FrameLink) -> any FrameReceiver) throws -> String {
        guard transport.keys != nil || allowsInsecure || Self.isLocal(endpoint) else {
            throw RPCError(
                .permissionDenied,
                "\(endpoint) can be reached from other machines and nothing is encrypted; give the service keys "
                    + "(`nephele keys`, NEPHELE_BUS_KEYS), bind 127.0.0.1 or ipc, or say NEPHELE_BUS_INSECURE=1",
                reason: "insecure_bind")
        }
        let (address, number) = try transport.bind(endpoint, accept: accept)
        bound.withLock { $0 = number }
        return address
    }

    func stop() {
        let number = bound.withLock { bound in
            defer { bound = nil }
            return bound
        }
        if let number { transport.unbind(number) }
    }

    private static func isLocal(_ endpoint: String) -> Bool {
        guard endpoint.hasPrefix("tcp://") else { return true }
        return Loopback.host(of: endpoint).map { Loopback.contains($0) } ?? false
    }
}

extension RPCClient {
    /// A channel to every instance behind `target`: `ipc://DIR/text-model-*.sock`, `tcp://host:port`,
    /// `dns://name:port`.
    /// - Parameter lookup: for tests; otherwise the system's resolver.
    package convenience init(
        target: String, transport: ZeroMQTransport? = nil,
        lookup: (@Sendable (String) throws -> [String])? = nil, interceptors: [any ClientInterceptor] = [],
        limits: BusLimits = BusLimits(), timing: BusTiming = BusTiming()
    ) throws {
        let transport = try transport ?? .shared()
        try self.init(
            target: target, resolver: Target.resolver(target, lookup: lookup ?? { try HostLookup.addresses(of: $0) }),
            transport: transport.client(target), interceptors: interceptors, limits: limits, timing: timing)
    }
}
