internal import Concurrency
package import Messages
internal import Synchronization

/// A channel to every instance behind a target: finds them, keeps connections, chooses one for each call.
///
/// Nothing is retried once a call was sent: an error with `notStarted` says that a retry is safe.
package final class RPCClient: Sendable {
    private let channel: ClientChannel
    private let interceptors: [any ClientInterceptor]

    /// - Throws: `RPCError`, when the system gives no thread.
    package init(
        target: String, resolver: any Resolver, transport: any ClientTransport,
        interceptors: [any ClientInterceptor] = [], limits: BusLimits = BusLimits(), timing: BusTiming = BusTiming()
    ) throws {
        do {
            channel = try ClientChannel(
                target: target, resolver: resolver, transport: transport, limits: limits, timing: timing)
        } catch {
            throw RPCError(.resourceExhausted, "\(error)", notStarted: true)
        }
        self.interceptors = interceptors
    }

    deinit {
        channel.close()
    }

    /// Ends all calls as UNAVAILABLE and all connections.
    package func close() {
        channel.close()
    }

    /// Every instance that has described itself, by address.
    package var instances: [Instance] { channel.instances }

    /// Grows whenever `instances` changes.
    package var generation: UInt64 { channel.state.withLock { $0.generation } }

    /// Those that take calls now, with what this client has started there since they reported.
    package var readyInstances: [Instance] { channel.ready }

    /// Waits until the instances satisfy `condition`.
    /// - Returns: them.
    /// - Throws: `RPCError` UNAVAILABLE when `timeout` passes before; CANCELLED.
    @discardableResult
    package func waitUntil(
        timeout: Duration = .seconds(30), _ condition: ([Instance]) -> Bool
    ) async throws -> [Instance] {
        let deadline = MonotonicInstant.now + timeout
        while true {
            let generation = channel.state.withLock { $0.generation }
            let instances = channel.instances
            if condition(instances) { return instances }
            if Task.isCancelled { throw RPCError(.cancelled, "the wait was cancelled", notStarted: true) }
            if MonotonicInstant.now >= deadline || channel.state.withLock({ $0.isClosed }) {
                throw channel.noInstance(CallOptions())
            }
            await channel.changed(since: generation, until: deadline)
        }
    }

    /// Makes a unary call.
    /// - Throws: `RPCError`.
    package nonisolated(nonsending) func call<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, _ options: CallOptions = CallOptions()
    ) async throws -> ClientReply<Reply> {
        let (message, instanceID) = try await reply(method.path, request.encoded(), options)
        return try ClientReply(message, from: instanceID)
    }

    /// The part of `call` that needs no types: unspecialised generic code would look its types up at run time.
    private nonisolated(nonsending) func reply(
        _ path: String, _ body: [UInt8], _ options: CallOptions
    ) async throws -> (message: InboundMessage, instanceID: String) {
        // As `start` does, without the frame of another asynchronous function where there is nothing to wait for.
        var options = options
        let deadline = try prepare(path, body, &options)
        let started: StartedCall
        if let atOnce = try startNow(path, body, options, deadline).started {
            started = atOnce
        } else {
            started = try await startWhenReady(path, body, options, deadline)
        }
        return try await withTaskCancellationHandler {
            guard let message = try await started.inbox.next() else {
                throw RPCError(.internalError, "\(path) ended without a reply", reason: "no_message")
            }
            return (message, started.instanceID)
        } onCancel: {
            started.cancel()
        }
    }

    /// Starts a call with a stream of replies. Letting go of the stream cancels the call.
    /// - Throws: `RPCError`.
    package nonisolated(nonsending) func stream<Request, Reply>(
        _ method: Method<Request, Reply>, _ request: Request, _ options: CallOptions = CallOptions()
    ) async throws -> ReplyStream<Reply> {
        ReplyStream(started: try await start(method.path, request.encoded(), options))
    }

    /// Sends the call to a ready instance, waiting for one if need be.
    private nonisolated(nonsending) func start(
        _ path: String, _ body: [UInt8], _ options: CallOptions
    ) async throws -> StartedCall {
        var options = options
        let deadline = try prepare(path, body, &options)
        if let started = try startNow(path, body, options, deadline).started { return started }
        return try await startWhenReady(path, body, options, deadline)
    }

    /// - Returns: the deadline.
    private func prepare(_ path: String, _ body: [UInt8], _ options: inout CallOptions) throws -> MonotonicInstant? {
        for interceptor in interceptors { try interceptor.prepare(path, &options) }
        try channel.limits.check(body, options.attachments)
        return options.timeout.map { MonotonicInstant.now + $0 }
    }

    private nonisolated(nonsending) func startWhenReady(
        _ path: String, _ body: [UInt8], _ options: CallOptions, _ deadline: MonotonicInstant?
    ) async throws -> StartedCall {
        let limit = MonotonicInstant.now + options.readyTimeout
        let until = min(limit, deadline ?? limit)
        while true {
            let (started, generation) = try startNow(path, body, options, deadline)
            if let started { return started }
            guard options.waitsForReady, until > .now, !channel.state.withLock({ $0.isClosed }) else {
                let error = channel.noInstance(options)
                guard deadline.map({ $0 <= .now }) == true else { throw error }
                // Say why there was no instance to call: that can be mended.
                throw RPCError(
                    .deadlineExceeded, "\(RPCError.deadlineBeforeStart.message): \(error.message)", notStarted: true)
            }
            await channel.changed(since: generation, until: until)
        }
    }

    /// - Returns: no call when no instance is ready, and the number of the channel's state in which that was so.
    private func startNow(
        _ path: String, _ body: [UInt8], _ options: CallOptions, _ deadline: MonotonicInstant?
    ) throws -> (started: StartedCall?, generation: UInt64) {
        if Task.isCancelled { throw RPCError(.cancelled, "the call was cancelled", notStarted: true) }
        let (chosen, generation) = channel.choose(options)
        // A connection that has just ended sends nothing: the channel is about to know.
        let started = try chosen.flatMap { try send(path, body, options, deadline, $0.connection, $0.id) }
        return (started, generation)
    }

    /// - Returns: `nil` when the connection is over, so that nothing was sent.
    private func send(
        _ path: String, _ body: [UInt8], _ options: CallOptions, _ deadline: MonotonicInstant?,
        _ connection: ClientConnection, _ instanceID: String
    ) throws -> StartedCall? {
        var start = CallStart(method: path, creditMessages: 0, creditBytes: 0)
        if let deadline {
            let left = deadline - .now
            guard left > .zero else { throw RPCError.deadlineBeforeStart }
            start.timeout = left
        }
        start.metadata = options.metadata
        start.instanceID = instanceID
        start.numericsID = options.numericsID
        let inbox = ReplyInbox()
        do {
            let call = try connection.start(
                start, body: body, attachments: options.attachments, inbox: inbox, deadline: deadline)
            return StartedCall(connection: connection, call: call, inbox: inbox, instanceID: instanceID)
        } catch let error as RPCError where error.notStarted && error.code == .unavailable {
            return nil
        }
    }
}

extension RPCError {
    static let deadlineBeforeStart = RPCError(
        .deadlineExceeded, "the deadline passed before the call was sent", notStarted: true)
}

/// Changes each call's options before it is sent (e.g. adds metadata); throwing refuses the call.
package protocol ClientInterceptor: Sendable {
    func prepare(_ method: String, _ options: inout CallOptions) throws
}

/// A reply's message and attachments, and who gave it.
package struct ClientReply<Message: BusMessage>: Sendable {
    package let message: Message
    package let attachments: [Attachment]
    package let instanceID: String

    init(_ inbound: InboundMessage, from instanceID: String) throws {
        do {
            message = try Message(decoding: inbound.body)
        } catch {
            throw RPCError(.internalError, "the reply is malformed: \(error)", reason: "malformed_reply")
        }
        attachments = inbound.attachments
        self.instanceID = instanceID
    }
}

/// A call that was sent.
struct StartedCall: Sendable {
    let connection: ClientConnection
    let call: UInt64
    let inbox: ReplyInbox
    let instanceID: String

    func cancel() {
        connection.cancel(call, RPCError(.cancelled, "the call was cancelled"))
    }
}

/// The replies of one call, for one reader. Cancels the call when its reader's task is cancelled or it is let go.
package final class ReplyStream<Message: BusMessage>: AsyncSequence, Sendable {
    package typealias Element = ClientReply<Message>

    private let started: StartedCall

    init(started: StartedCall) {
        self.started = started
    }

    deinit {
        started.cancel()
    }

    /// Who answers.
    package var instanceID: String { started.instanceID }

    /// Ends the call; the reader gets CANCELLED.
    package func cancel() {
        started.cancel()
    }

    /// The next reply, `nil` after the last one.
    /// - Throws: `RPCError`.
    package func next() async throws -> ClientReply<Message>? {
        let inbound = try await withTaskCancellationHandler {
            try await started.inbox.next()
        } onCancel: {
            started.cancel()
        }
        guard let inbound else { return nil }
        if let credit = started.inbox.takeCredit(limits: started.connection.limits) {
            started.connection.sendCredit(started.call, messages: credit.messages, bytes: credit.bytes)
        }
        return try ClientReply(inbound, from: started.instanceID)
    }

    package func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    package struct Iterator: AsyncIteratorProtocol {
        let stream: ReplyStream

        package mutating func next() async throws -> ClientReply<Message>? {
            try await stream.next()
        }
    }
}
