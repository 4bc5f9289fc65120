internal import DequeModule
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// One request after the other over connections that stay open, and how long each answer takes.
final class HTTPLoad: Sendable {
    private struct State {
        /// Connections without a request.
        var idle: [any Channel] = []
        /// When requests that wait for a connection were due.
        var due: Deque<NIODeadline> = []
        /// How many are still to be sent at once when a connection is free.
        var unsent = 0
        /// How many answers are missing.
        var missing = 0
        var latencies: [TimeAmount] = []
        var failure: String?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let request: ByteBuffer
    private let state = Mutex(State())
    private let loop: any EventLoop

    /// - Parameter request: as it is sent, head and body.
    init(host: String, port: Int, connections: Int, request: String, on group: MultiThreadedEventLoopGroup) async throws
    {
        self.request = ByteBuffer(string: request)
        loop = group.next()
        for _ in 0..<connections {
            let answers = AnswerReader { [weak self] channel, sent, isGood in self?.answered(channel, sent, isGood) }
            let channel = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { $0.pipeline.addHandler(answers) }
                .connect(host: host, port: port).get()
            state.withLock { $0.idle.append(channel) }
        }
    }

    /// Each connection sends its next request once it has its answer.
    ///
    /// - Returns: how long each of `count` answers took.
    func closedLoop(count: Int) async throws -> [TimeAmount] {
        try await run(count: count) { [self] in
            let first = state.withLock { state in
                state.unsent = count
                let first = Array(state.idle.prefix(count))
                state.idle.removeFirst(first.count)
                state.unsent -= first.count
                return first
            }
            for channel in first { send(on: channel, due: .now()) }
        }
    }

    /// Requests come at an even pace, whether answers do or not; each one's time counts from when it was due.
    func openLoop(rate: Int, count: Int) async throws -> [TimeAmount] {
        try await run(count: count) { [self] in
            let start = NIODeadline.now()
            let interval = 1_000_000_000 / Int64(rate)
            loop.execute { self.issue(from: 0, of: count, start: start, interval: interval) }
        }
    }

    private func run(count: Int, _ begin: @Sendable () -> Void) async throws -> [TimeAmount] {
        state.withLock { state in
            (state.missing, state.latencies) = (count, [])
            state.latencies.reserveCapacity(count)
        }
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiter = continuation }
            begin()
        }
        return try state.withLock { state in
            if let failure = state.failure { throw ServiceBenchmarkError("the gateway answered \(failure)") }
            return state.latencies
        }
    }

    private func issue(from first: Int, of count: Int, start: NIODeadline, interval: Int64) {
        let now = NIODeadline.now()
        var next = first
        while next < count {
            let due = start + .nanoseconds(Int64(next) * interval)
            guard due <= now else {
                let following = next
                loop.scheduleTask(deadline: due) {
                    self.issue(from: following, of: count, start: start, interval: interval)
                }
                return
            }
            let channel = state.withLock { state in
                if state.idle.isEmpty { state.due.append(due) }
                return state.idle.popLast()
            }
            if let channel { send(on: channel, due: due) }
            next += 1
        }
    }

    private func send(on channel: any Channel, due: NIODeadline) {
        channel.triggerUserOutboundEvent(AnswerReader.Sent(due: due), promise: nil)
        channel.writeAndFlush(request, promise: nil)
    }

    private func answered(_ channel: any Channel, _ due: NIODeadline, _ failure: String?) {
        let now = NIODeadline.now()
        let (next, waiter): (NIODeadline?, CheckedContinuation<Void, Never>?) = state.withLock { state in
            state.latencies.append(now - due)
            state.missing -= 1
            if let failure { (state.failure, state.missing) = (failure, 0) }
            guard state.missing > 0 else {
                state.idle.append(channel)
                defer { state.waiter = nil }
                return (nil, state.waiter)
            }
            if let due = state.due.popFirst() { return (due, nil) }
            guard state.unsent > 0 else {
                state.idle.append(channel)
                return (nil, nil)
            }
            state.unsent -= 1
            return (now, nil)
        }
        if let next { send(on: channel, due: next) }
        waiter?.resume()
    }
}

/// Reads answers whose length their head says.
private final class AnswerReader: ChannelDuplexHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Comes before a request: when it was due.
    struct Sent: Sendable { var due: NIODeadline }

    private struct State {
        var due = NIODeadline.now()
        var received: [UInt8] = []
        /// Bytes of head and body, once the head is there.
        var length: Int?
    }

    private let state = Mutex(State())
    /// A failure is the answer's beginning.
    private let answered: @Sendable (any Channel, _ due: NIODeadline, _ failure: String?) -> Void

    init(answered: @escaping @Sendable (any Channel, _ due: NIODeadline, _ failure: String?) -> Void) {
        self.answered = answered
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let sent = event as? Sent else { return context.triggerUserOutboundEvent(event, promise: promise) }
        state.withLock { $0.due = sent.due }
        promise?.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let answer: (due: NIODeadline, failure: String?)? = state.withLock { state in
            state.received += buffer.readableBytesView
            if state.length == nil { state.length = Self.length(of: state.received) }
            guard let length = state.length, state.received.count >= length else { return nil }
            let isGood = state.received.starts(with: "HTTP/1.1 200".utf8)
            let failure = isGood ? nil : String(decoding: state.received.prefix(512), as: UTF8.self)
            state.length = nil
            state.received.removeAll(keepingCapacity: true)
            return (state.due, failure)
        }
        if let answer { answered(context.channel, answer.due, answer.failure) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answered(context.channel, state.withLock(\.due), "nothing and closed the connection")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// The length of head and body in bytes; nil while the head is incomplete.
    private static func length(of received: [UInt8]) -> Int? {
        guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: received[..<end.lowerBound], as: UTF8.self).lowercased()
        let field = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        guard let field, let body = Int(field.dropFirst("content-length:".count).drop { $0 == " " }) else {
            return end.upperBound
        }
        return end.upperBound + body
    }
}
