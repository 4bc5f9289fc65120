import HummingbirdCore
import NIOCore
import Synchronization

/// The end of a request: its response has been written, or nobody is there to read it.
///
/// The server opens one around each request; ``RequestPipeline`` says what is to be done then.
final class RequestEnd: Sendable {
    typealias Action = @Sendable (_ wasWritten: Bool) -> Void

    @TaskLocal private static var current: RequestEnd?

    private let action = Mutex<Action?>(nil)

    /// Has something done when the request that this task works on has ended: at once where no server is around it.
    static func then(_ action: @escaping Action) {
        guard let current else { return action(true) }
        current.action.withLock { $0 = action }
    }

    private func call(wasWritten: Bool) {
        let action = action.withLock { action in
            defer { action = nil }
            return action
        }
        action?(wasWritten)
    }

    /// A responder that answers as `responder` does and ends each request, whichever way it went.
    static func following(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTPChannelHandler.Responder {
        { request, writer, channel in
            let end = RequestEnd()
            do {
                var unused: ResponseWriter? = writer
                try await RequestEnd.$current.withValue(end) {
                    guard let writer = unused.take() else { return }
                    try await responder(request, writer, channel)
                }
            } catch {
                end.call(wasWritten: false)
                throw error
            }
            end.call(wasWritten: true)
        }
    }
}
