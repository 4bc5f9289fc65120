internal import Concurrency
internal import Messages
internal import Synchronization

/// The server's side of one connection epoch: everything one client has under way.
final class ServerConnection: FrameReceiver {
    struct State {
        var table: CallTable<ServerCall>
        var isEnded = false
        var lastHeard = MonotonicInstant.now
        /// Writers that wait until everything they wrote is sent.
        var writers: [UInt64: [CheckedContinuation<Void, any Error>]] = [:]
    }

    let link: any FrameLink
    let core: ServerCore
    var limits: BusLimits { core.limits }
    let state: Mutex<State>
    /// Used by the transport's thread alone.
    private let headers = Mutex(HeaderDecoder())

    init(link: any FrameLink, core: ServerCore) {
        self.link = link
        self.core = core
        state = Mutex(State(table: CallTable(limits: core.limits)))
    }

    // MARK: FrameReceiver

    func heard() {
        locked { $0.lastHeard = .now }
    }

    func receive(_ header: RawSpan, _ body: RawSpan) {
        guard header.byteCount <= limits.headerBytes, let frame = try? decode(header) else {
            refuse("a malformed header of \(header.byteCount) bytes")
            return
        }
        do {
            try handle(frame, body)
        } catch {
            fail(frame.call, error)
        }
    }

    private func decode(_ header: RawSpan) throws -> FrameHeader {
        try headers.withLock { try $0.decode(header) }
    }

    private func handle(_ frame: FrameHeader, _ body: RawSpan) throws(RPCError) {
        switch frame.content {
        case .call(let start): receiveCall(frame, start, body)
        case .chunk(let attachment, let offset):
            let (message, call) = try locked { state throws(RPCError) in
                if let credit = state.table.chunkCredit(body.byteCount) {
                    link.send(FrameHeader(.credit(messages: 0, bytes: credit)), .empty)
                }
                let message = try state.table.acceptChunk(frame, attachment: attachment, offset: offset, body)
                return (message, state.table.owner(frame.call))
            }
            if let message, let call { run(message, call) }
        case .cancel:
            locked { Self.remove(frame.call, &$0) }?.drop()
        case .credit(let messages, let bytes):
            let advanced = locked { state in
                guard frame.call == 0 else {
                    state.table.addCredit(frame.call, messages: messages, bytes: bytes)
                    return pump(frame.call, &state)
                }
                state.table.addChunkCredit(bytes)
                return pumpChunks(&state)
            }
            advanced.finish()
        case .ping(let token):
            link.send(FrameHeader(.pong(token, core.loadReport)), .empty)
        case .message, .end, .pong, .goAway:
            refuse("a server's frame")
        }
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant {
        let (due, expired, isSilent) = locked { state in
            let expired = state.table.expire(now).map { (Self.takeWriters($0.call, &state), $0.owner) }
            for (_, call) in expired { sendEnd(call.id, .deadlinePassed) }
            let silentAt = state.lastHeard + core.timing.silence
            return (min(silentAt, state.table.nextDeadline ?? silentAt), expired, now >= silentAt)
        }
        for (writers, call) in expired { Dropped(call: call, writers: writers).drop(.deadlinePassed) }
        if isSilent {
            link.close()
            end()
        }
        return due
    }

    func linkDown(_ reason: String) {
        end()
    }

    /// Tells the client that no new calls are taken.
    func goAway(_ reason: String) {
        link.send(FrameHeader(.goAway(reason: reason)), .empty)
    }

    /// Ends the epoch from this side.
    func close() {
        link.close()
        end()
    }

    private func refuse(_ what: String) {
        core.peerRefused(what)
        close()
    }

    private func end() {
        let dropped = locked { state -> [Dropped] in
            guard !state.isEnded else { return [] }
            state.isEnded = true
            let calls = state.table.removeAll()
            return calls.map { Dropped(call: $0, writers: Self.takeWriters($0.id, &state)) }
        }
        for call in dropped { call.drop() }
        core.forget(self)
    }

    // MARK: Starting calls

    private func receiveCall(_ frame: FrameHeader, _ start: CallStart, _ body: RawSpan) {
        let deadline = start.timeout.map { MonotonicInstant.now + $0 }
        do {
            let handler = try core.admit(frame, start, body)
            if case .immediate(let handle) = handler, start.attachmentSizes.isEmpty {
                let context = ServerContext(start, deadline: deadline, call: nil)
                let reply = try core.intercepted(context) { try handle(body, [], context) }
                sendReply(frame.call, reply)
                return
            }
            try begin(frame, start, body, deadline)
        } catch {
            sendEnd(frame.call, RPCError(converting: error))
        }
    }

    /// Ends a unary call that went well: END with the reply.
    private static let replyHeader = {
        var end = CallEnd(code: 0)
        end.hasMessage = true
        return HeaderTemplate(.end(end))
    }()

    private func sendReply(_ call: UInt64, _ reply: OutboundReply) {
        guard reply.attachments.isEmpty, reply.body.count <= limits.messageBytes else {
            // Attachments go through the table, where they take their turn.
            let server = core.newCall(call, deadline: nil)
            locked { state in
                state.table.insert(
                    call,
                    .init(
                        owner: server, outbound: OutboundStream(creditMessages: 1, creditBytes: 1),
                        inbound: InboundStream(nextSequence: 1), deadline: nil))
            }
            complete(server, .success(reply))
            return
        }
        link.send(encoded: Self.replyHeader.header(call: call), .bytes(reply.body), canWait: true)
    }

    func sendEnd(_ call: UInt64, _ error: RPCError) {
        link.send(FrameHeader(call: call, .end(error.end)), .empty)
    }

    /// Puts the call into the table; runs it unless its attachments are still to come.
    private func begin(
        _ frame: FrameHeader, _ start: CallStart, _ body: RawSpan, _ deadline: MonotonicInstant?
    ) throws {
        let call = core.newCall(frame.call, deadline: deadline)
        do {
            let message = try locked { state throws(RPCError) -> InboundMessage? in
                guard !state.isEnded, state.table.owner(frame.call) == nil else {
                    throw .protocolViolation("call \(frame.call) was started twice")
                }
                state.table.insert(
                    frame.call,
                    .init(
                        owner: call,
                        outbound: OutboundStream(
                            creditMessages: min(start.creditMessages, limits.windowMessages),
                            creditBytes: start.creditBytes),
                        inbound: InboundStream(), deadline: deadline))
                do throws(RPCError) {
                    return try state.table.accept(frame, body, sizes: start.attachmentSizes)
                } catch {
                    state.table.remove(frame.call)
                    throw error
                }
            }
            if let message { run(message, call) }
        } catch {
            call.removed()
            throw error
        }
    }

    /// Runs the handler of a whole request in a task of its own.
    private func run(_ message: InboundMessage, _ call: ServerCall) {
        guard case .call(let start) = message.content, let handler = core.handler(start.method), call.startHandler()
        else { return }
        let context = ServerContext(start, deadline: call.deadline, call: call)
        let task = Task { [self, core] in
            do {
                let reply = try await core.run(handler, message, context, ReplySink(call: call, connection: self))
                complete(call, .success(reply))
            } catch {
                complete(call, .failure(RPCError(converting: error)))
            }
            call.handlerDone()
        }
        call.setTask(task)
    }
}
