internal import Concurrency
internal import Messages
internal import Synchronization

/// The client's side of one connection epoch: from dialling one server instance until the first sign of its loss.
final class ClientConnection: FrameReceiver {
    /// What the owner of the connection hears, from the transport's thread.
    enum Event: Sendable {
        case pong(LoadReport)
        case goAway(String)
        case ended(RPCError)
    }

    private struct Call: Sendable {
        let inbox: ReplyInbox
        /// Answered by the server itself, whatever its services do.
        let isBuiltIn: Bool
    }

    private struct Template {
        let method: String
        let instanceID: String?
        let header: HeaderTemplate
    }

    private struct State {
        var table: CallTable<Call>
        var ended: RPCError?
        /// The server takes no new calls; when it says so again, it has answered all that it has started.
        var hasGoneAway = false
        var isDraining = false
        var lastHeard: MonotonicInstant
        var nextPing: MonotonicInstant
        /// What the last tick returned.
        var nextTick: MonotonicInstant
        var pings: UInt64 = 0
        /// Headers of calls that differ in nothing but their number and time.
        var templates: [Template] = []
    }

    /// Methods that are called with a template, at most.
    private static let templateLimit = 64

    private let link: any FrameLink
    let limits: BusLimits
    private let timing: BusTiming
    private let state: Mutex<State>
    /// Used by the transport's thread alone.
    private let headers = Mutex(HeaderDecoder())
    private let nextID = Atomic<UInt64>(0)
    private let onEvent: @Sendable (Event) -> Void

    init(
        link: any FrameLink, limits: BusLimits, timing: BusTiming, onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.link = link
        self.limits = limits
        self.timing = timing
        self.onEvent = onEvent
        let now = MonotonicInstant.now
        state = Mutex(State(table: CallTable(limits: limits), lastHeard: now, nextPing: now, nextTick: now))
    }

    /// Sends a call.
    /// - Returns: its number, for `cancel`.
    /// - Throws: `RPCError` with `notStarted`, when the epoch is over.
    func start(
        _ start: CallStart, body: [UInt8], attachments: [Attachment], inbox: ReplyInbox,
        deadline: MonotonicInstant?
    ) throws -> UInt64 {
        var start = start
        start.creditMessages = limits.windowMessages
        start.creditBytes = limits.windowBytes
        start.attachmentSizes = attachments.map(\.count)
        let call = nextID.add(1, ordering: .relaxed).newValue
        let (header, canWait, isUrgent) = try state.withLock { state -> ([UInt8]?, Bool, Bool) in
            if let ended = state.ended {
                throw RPCError(.unavailable, ended.message, reason: ended.reason, notStarted: true)
            }
            state.table.insert(
                call,
                .init(
                    owner: Call(inbox: inbox, isBuiltIn: start.method == Bus.describe.path),

                    outbound: OutboundStream(
                        sequence: attachments.isEmpty ? 1 : 0, creditMessages: 0, creditBytes: 0),
                    inbound: InboundStream(), deadline: deadline))
            let isUrgent = deadline.map { $0 < state.nextTick } ?? false
            guard !attachments.isEmpty else {
                return (Self.header(call, start, &state.templates), state.table.isBusy, isUrgent)
            }
            let item = OutboundItem(content: .call(start), body: body, attachments: attachments)
            if case .chunks = state.table.send(call, item, link) { _ = state.table.pumpChunks(link) }
            return (nil, true, isUrgent)
        }
        // Outside the lock: sending may take a while, and replies to other calls come in.
        if let header { link.send(encoded: header, .bytes(body), canWait: canWait) }
        if isUrgent { link.tickSoon() }
        return call
    }

    private static func header(_ call: UInt64, _ start: CallStart, _ templates: inout [Template]) -> [UInt8] {
        guard start.isPlain else { return FrameHeader(call: call, .call(start)).encoded() }
        // So few that looking through them is faster than hashing.
        for template in templates where template.method == start.method && template.instanceID == start.instanceID {
            return template.header.header(call: call, timeout: start.timeout)
        }
        var untimed = start
        untimed.timeout = nil
        let header = HeaderTemplate(.call(untimed))
        if templates.count < templateLimit {
            templates.append(Template(method: start.method, instanceID: start.instanceID, header: header))
        }
        return header.header(call: call, timeout: start.timeout)
    }

    var runningCalls: Int { state.withLock { $0.table.count } }
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Ends a call from this side; nothing when it is over already.
    func cancel(_ call: UInt64, _ error: RPCError) {
        let removed = state.withLock { state in
            let removed = state.table.remove(call)
            if removed != nil { sendCancel(call, error.message) }
            return removed
        }
        removed?.inbox.finish(error)
    }

    /// The instance's engine does not come out of a step: what waits for it is better made again elsewhere. The connection
    /// stays, to hear when it goes on.
    private func giveUpCalls() {
        let error = RPCError(.unavailable, "the instance does not come out of a step", reason: "instance_stuck")
        let calls = state.withLock { state in
            let ids = state.table.ids.filter { state.table.owner($0)?.isBuiltIn == false }
            return ids.compactMap { call in
                sendCancel(call, error.message)
                return state.table.remove(call)
            }
        }
        for call in calls { call.inbox.finish(error) }
    }

    private func sendCancel(_ call: UInt64, _ reason: String) {
        link.send(FrameHeader(call: call, .cancel(reason: reason)), .empty)
    }

    func sendCredit(_ call: UInt64, messages: Int, bytes: Int) {
        link.send(FrameHeader(call: call, .credit(messages: messages, bytes: bytes)), .empty)
    }

    /// Ends the epoch from this side: every running call is UNAVAILABLE.
    func close(_ reason: String) {
        end(RPCError(.unavailable, reason, reason: "connection_closed"))
    }

    private func end(_ error: RPCError) {
        let calls = state.withLock { state -> [Call]? in
            guard state.ended == nil else { return nil }
            state.ended = error
            return state.table.removeAll()
        }
        guard let calls else { return }
        link.close()
        for call in calls { call.inbox.finish(error) }
        onEvent(.ended(error))
    }

    // MARK: FrameReceiver

    func linkDown(_ reason: String) {
        end(RPCError(.unavailable, "the connection to the instance was lost: \(reason)", reason: "connection_lost"))
    }

    func tick(_ now: MonotonicInstant) -> MonotonicInstant {
        let (due, expired, isSilent) = state.withLock { state in
            let silentAt = state.lastHeard + timing.silence
            if state.ended == nil, now >= state.nextPing {
                state.nextPing = now + timing.heartbeat
                state.pings += 1
                link.send(FrameHeader(.ping(state.pings)), .empty)
            }
            let expired = state.table.expire(now)
            for (call, _) in expired { sendCancel(call, "deadline exceeded") }
            let due = min(state.nextPing, silentAt, state.table.nextDeadline ?? silentAt)
            state.nextTick = due
            return (due, expired, now >= silentAt)
        }
        for (_, call) in expired { call.inbox.finish(.deadlinePassed) }
        if isSilent {
            end(RPCError(.unavailable, "the instance was silent for \(timing.silence)", reason: "silence"))
        }
        return due
    }

    func heard() {
        locked { $0.lastHeard = .now }
    }

    func receive(_ header: RawSpan, _ body: RawSpan) {
        guard header.byteCount <= limits.headerBytes, let frame = try? decode(header) else {
            end(RPCError(.unavailable, "the instance sent a malformed frame", reason: "protocol_violation"))
            return
        }
        do {
            try handle(frame, body)
        } catch {
            cancel(frame.call, error)
        }
    }

    private func decode(_ header: RawSpan) throws -> FrameHeader {
        try headers.withLock { try $0.decode(header) }
    }

    private func handle(_ frame: FrameHeader, _ body: RawSpan) throws(RPCError) {
        switch frame.content {
        case .message(let sizes): try receive(frame, sizes: sizes, body)
        case .end(let end) where end.attachmentSizes.isEmpty:
            let last = try locked { state throws(RPCError) in try state.table.acceptLast(frame, body) }
            if let last { deliver(last.message, to: last.owner) }
        case .end(let end): try receive(frame, sizes: end.attachmentSizes, body)
        case .chunk(let attachment, let offset):
            let (message, call) = try locked { state throws(RPCError) in
                if let credit = state.table.chunkCredit(body.byteCount) {
                    link.send(FrameHeader(.credit(messages: 0, bytes: credit)), .empty)
                }
                let message = try state.table.acceptChunk(frame, attachment: attachment, offset: offset, body)
                return (message, Self.finish(frame.call, message, &state))
            }
            if let message, let call { deliver(message, to: call) }
        case .credit(_, let bytes):
            locked { state in
                if frame.call == 0 { state.table.addChunkCredit(bytes) }
                _ = state.table.pumpChunks(link)
            }
        case .pong(_, let load):
            locked { $0.isDraining = $0.isDraining || load.isDraining }
            if load.isStuck(after: timing.stuck) { giveUpCalls() }
            onEvent(.pong(load))
        case .goAway(let reason):
            let isLast = locked { state in
                defer { (state.hasGoneAway, state.isDraining) = (true, true) }
                return state.hasGoneAway
            }
            if isLast {
                end(RPCError(.unavailable, reason, reason: "draining", notStarted: true))
            } else {
                onEvent(.goAway(reason))
            }
        case .call, .cancel, .ping:
            end(RPCError(.unavailable, "the instance sent a client's frame", reason: "protocol_violation"))
        }
    }

    private func receive(_ frame: FrameHeader, sizes: [Int], _ body: RawSpan) throws(RPCError) {
        let (message, call) = try locked { state throws(RPCError) in
            let message = try state.table.accept(frame, body, sizes: sizes)
            return (message, Self.finish(frame.call, message, &state))
        }
        if let message, let call { deliver(message, to: call) }
    }

    /// `withLock` for bodies with typed errors.
    private func locked<Result: Sendable, E: Error>(_ body: (inout State) throws(E) -> Result) throws(E) -> Result {
        try state.withLock { state throws(E) in try body(&state) }
    }

    /// The call that a whole message belongs to; an END takes it out of the table.
    private static func finish(_ call: UInt64, _ message: InboundMessage?, _ state: inout State) -> Call? {
        guard let message else { return nil }
        guard case .end = message.content else { return state.table.owner(call) }
        return state.table.remove(call)
    }

    private func deliver(_ message: InboundMessage, to call: Call) {
        guard case .end(let end) = message.content else {
            call.inbox.deliver(message)
            return
        }
        if let error = RPCError(end) {
            call.inbox.finish(error)
        } else if end.hasMessage {
            call.inbox.finish(with: message)
        } else {
            call.inbox.finish(nil)
        }
    }
}

extension RPCError {
    static let deadlinePassed = RPCError(.deadlineExceeded, "the deadline passed before the reply was complete")
}
