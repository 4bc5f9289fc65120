package import Concurrency
package import Messages
internal import Synchronization

/// What a handler knows of its call besides the message.
package struct ServerContext: Sendable {
    /// `nephele.v1.Echo/Count`.
    package let method: String
    package let metadata: Metadata
    /// When the caller stops waiting; the handler's task is cancelled then.
    package let deadline: MonotonicInstant?
    /// The numerics id that the caller asked for.
    package let numericsID: String?
    let call: ServerCall?

    init(_ start: CallStart, deadline: MonotonicInstant?, call: ServerCall?) {
        method = start.method
        metadata = start.metadata
        numericsID = start.numericsID
        self.deadline = deadline
        self.call = call
    }

    /// Whether the caller still waits; handlers on threads of their own ask once a step.
    package var isCancelled: Bool { call?.isCancelled ?? false }

    /// Runs `action` when the caller cancels, its deadline passes or it is gone; at once if that has happened. For
    /// engines: it comes on the transport's thread and must not block.
    package func onCancel(_ action: @escaping @Sendable () -> Void) {
        call?.onCancel(action)
    }
}

/// A message and its attachments, as a handler gets it.
package struct ServerRequest<Message: BusMessage>: Sendable {
    package var message: Message
    package var attachments: [Attachment]
}

/// A message and its attachments, as a unary handler gives it.
package struct ServerReply<Message: BusMessage>: Sendable {
    package var message: Message
    package var attachments: [Attachment]

    package init(_ message: Message, attachments: [Attachment] = []) {
        self.message = message
        self.attachments = attachments
    }
}

/// One running call of a server: its task, and whether anybody still wants it.
final class ServerCall: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var isCancelled = false
        var actions: [@Sendable () -> Void] = []
        var isStarted = false
        var isHandlerDone = false
        var isRemoved = false

        var isOver: Bool { isRemoved && (isHandlerDone || !isStarted) }
    }

    let id: UInt64
    let deadline: MonotonicInstant?
    private let state = Mutex(State())
    private let onRelease: @Sendable (_ wasCancelled: Bool) -> Void

    /// `onRelease` runs once: the handler has returned (or never ran) and the connection has forgotten the call.
    init(id: UInt64, deadline: MonotonicInstant?, onRelease: @escaping @Sendable (_ wasCancelled: Bool) -> Void) {
        self.id = id
        self.deadline = deadline
        self.onRelease = onRelease
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.actions.append(action) }
            return state.isCancelled
        }
        if isCancelled { action() }
    }

    /// The handler is about to run.
    /// - Returns: false when the caller does not want it any more.
    func startHandler() -> Bool {
        state.withLock { state in
            guard !state.isRemoved else { return false }
            state.isStarted = true
            return true
        }
    }

    func setTask(_ task: Task<Void, Never>) {
        let isCancelled = state.withLock { state in
            if !state.isHandlerDone { state.task = task }
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    func cancel() {
        let (task, actions) = state.withLock { state in
            state.isCancelled = true
            defer { state.actions = [] }
            return (state.task, state.actions)
        }
        task?.cancel()
        for action in actions { action() }
    }

    func handlerDone() {
        release { state in
            state.isHandlerDone = true
            state.task = nil
            state.actions = []
        }
    }

    /// The connection knows the call no longer.
    func removed() {
        release { $0.isRemoved = true }
    }

    private func release(_ change: (inout State) -> Void) {
        let (isOver, wasCancelled) = state.withLock { state in
            let wasOver = state.isOver
            change(&state)
            return (!wasOver && state.isOver, state.isCancelled)
        }
        if isOver { onRelease(wasCancelled) }
    }
}
