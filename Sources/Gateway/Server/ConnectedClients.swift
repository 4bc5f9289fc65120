import Concurrency
import Hummingbird
import Logging
import NIOCore
import NIOHTTPTypes
import Synchronization

/// What the gateway keeps of a request's connection.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// nil where the gateway asks itself.
    let channel: (any Channel)?
    /// What a request of the gateway's own is asked with in the place of a key.
    let keyDigest: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        (channel, keyDigest) = (source.channel, nil)
    }

    /// Of a request that the gateway makes itself for a client.
    init(keyDigest: String?, logger: Logger) {
        coreContext = .init(source: OwnRequestSource(logger: logger))
        (channel, self.keyDigest) = (nil, keyDigest)
    }

    private struct OwnRequestSource: RequestContextSource { let logger: Logger }
}

/// The connections of clients, and the work that is done for each as long as it is there.
final class ConnectedClients: Sendable {
    private typealias Cancellation = @Sendable () -> Void

    private struct Connection {
        var works: [Int: Cancellation] = [:]
    }

    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// Tells of a connection's end. Where the client will send nothing more it is taken to be gone: HTTP's clients do not
    /// close one half.
    final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPRequestPart
        private let clients: ConnectedClients

        init(_ clients: ConnectedClients) { self.clients = clients }

        func handlerAdded(context: ChannelHandlerContext) { clients.arrived(context.channel) }

        func handlerRemoved(context: ChannelHandlerContext) { clients.left(context.channel) }

        func channelInactive(context: ChannelHandlerContext) {
            clients.left(context.channel)
            context.fireChannelInactive()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed? = event as? ChannelEvent { clients.left(context.channel) }
            context.fireUserInboundEventTriggered(event)
        }
    }

    fileprivate func arrived(_ channel: any Channel) {
        state.withLock { $0.connections[ObjectIdentifier(channel)] = Connection() }
    }

    fileprivate func left(_ channel: any Channel) {
        let works = state.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(channel))?.works ?? [:] }
        for cancel in works.values { cancel() }
    }

    /// Whether a client is there; nobody waits for what the gateway asks itself, and it is there.
    func isPresent(_ channel: (any Channel)?) -> Bool {
        guard let channel else { return true }
        return state.withLock { $0.connections[ObjectIdentifier(channel)] != nil }
    }

    /// Does the work, and cancels it when the client goes.
    ///
    /// - Throws: what the work throws; `CancellationError` once the client has gone, whatever the work makes of that.
    ///
    /// - Parameter channel: the client's connection; nil for work that nobody waits for.
    func whilePresent<Result: Sendable>(
        _ channel: (any Channel)?, _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        guard let channel else { return try await work() }
        let task = Task(executorPreference: FunctionExecutor(channel.eventLoop), operation: work)
        let id = ObjectIdentifier(channel)
        let number: Int? = state.withLock { state in
            state.next += 1
            guard state.connections[id] != nil else { return nil }
            state.connections[id]?.works[state.next] = { task.cancel() }
            return state.next
        }
        // It may have gone before the work began.
        guard let number else {
            task.cancel()
            return try await Self.outcome(of: task)
        }
        defer { state.withLock { state in _ = state.connections[id]?.works.removeValue(forKey: number) } }
        return try await withTaskCancellationHandler {
            try await Self.outcome(of: task)
        } onCancel: {
            task.cancel()
        }
    }

    private static func outcome<Result>(of task: Task<Result, any Error>) async throws -> Result {
        let result = await task.result
        if case .failure = result, task.isCancelled { throw CancellationError() }
        return try result.get()
    }
}
