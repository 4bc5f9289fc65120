internal import Messages
internal import Synchronization

/// Where the frames of one reply meet the task that waits for them. One reader.
final class ReplyInbox: Sendable {
    private struct State {
        var messages = FIFO<InboundMessage>()
        /// `.some(nil)`: ended well.
        var end: RPCError??
        var waiter: CheckedContinuation<InboundMessage?, any Error>?
        var consumedMessages = 0
        var consumedBytes = 0
    }

    private let state = Mutex(State())

    /// From the transport's thread.
    func deliver(_ message: InboundMessage) {
        let waiter = state.withLock { state -> CheckedContinuation<InboundMessage?, any Error>? in
            guard state.end == nil else { return nil }
            guard let waiter = state.waiter else {
                state.messages.append(message)
                return nil
            }
            state.waiter = nil
            Self.count(message, &state)
            return waiter
        }
        waiter?.resume(returning: message)
    }

    /// The first end counts; messages that wait can still be read after a good end.
    func finish(_ error: RPCError?) {
        let waiter = state.withLock { state -> CheckedContinuation<InboundMessage?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = .some(error)
            defer { state.waiter = nil }
            return state.waiter
        }
        guard let waiter else { return }
        if let error { waiter.resume(throwing: error) } else { waiter.resume(returning: nil) }
    }

    /// A last message and a good end at once.
    func finish(with message: InboundMessage) {
        let waiter = state.withLock { state -> CheckedContinuation<InboundMessage?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = .some(nil)
            guard let waiter = state.waiter else {
                state.messages.append(message)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: message)
    }

    var isFinished: Bool { state.withLock { $0.end != nil } }

    private static func count(_ message: InboundMessage, _ state: inout State) {
        state.consumedMessages += 1
        state.consumedBytes += message.cost
    }

    /// The next message in order, or `nil` after a good end. Cancellation is the caller's business: it finishes
    /// the inbox.
    nonisolated(nonsending) func next() async throws -> InboundMessage? {
        if let ready = try state.withLock({ try Self.take(&$0) }) { return ready }
        return try await withCheckedThrowingContinuation { continuation in
            let ready = state.withLock { state in
                let ready = Result { try Self.take(&state) }
                if case .success(.none) = ready { state.waiter = continuation }
                return ready
            }
            switch ready {
            case .success(.some(let message)): continuation.resume(returning: message)
            case .success(.none): break
            case .failure(let error): continuation.resume(throwing: error)
            }
        }
    }

    /// `.none`: nothing yet; `.some(nil)`: the end.
    private static func take(_ state: inout State) throws -> InboundMessage?? {
        if let message = state.messages.popFirst() {
            count(message, &state)
            return .some(message)
        }
        guard let end = state.end else { return .none }
        if let error = end { throw error }
        return .some(nil)
    }

    /// What was read since the last credit, once it is `share` of the window or more.
    func takeCredit(limits: BusLimits) -> (messages: Int, bytes: Int)? {
        state.withLock { state in
            guard state.end == nil,
                state.consumedMessages * 2 >= limits.windowMessages || state.consumedBytes * 2 >= limits.windowBytes
            else { return nil }
            defer { (state.consumedMessages, state.consumedBytes) = (0, 0) }
            return (state.consumedMessages, state.consumedBytes)
        }
    }
}
