internal import Foundation
internal import FoundationNetworking
internal import Synchronization

/// Hands the events of one response to a stream.
final class EventReceiver: NSObject, URLSessionDataDelegate, Sendable {
    private struct State {
        var status = 0
        var events = ServerSentEvents()
        /// The body of a refusal.
        var refusal = Data()
    }

    private static let refusalLimit = 1 << 16
    private let state = Mutex(State())
    private let continuation: AsyncThrowingStream<Data, any Error>.Continuation
    private let unreachable: @Sendable (any Error) -> GatewayClientError

    init(
        _ continuation: AsyncThrowingStream<Data, any Error>.Continuation,
        unreachable: @escaping @Sendable (any Error) -> GatewayClientError
    ) {
        (self.continuation, self.unreachable) = (continuation, unreachable)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        state.withLock { $0.status = (response as? HTTPURLResponse)?.statusCode ?? 0 }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let events = state.withLock { state -> [Data] in
            guard state.status == 200 else {
                state.refusal.append(data.prefix(Self.refusalLimit - state.refusal.count))
                return []
            }
            return state.events.append(data)
        }
        for event in events where event != Data("[DONE]".utf8) {
            if event.starts(with: Data(#"{"error":"#.utf8)) {
                continuation.finish(throwing: GatewayClientError.refusal(status: 200, body: event))
            } else {
                continuation.yield(event)
            }
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let (status, refusal) = state.withLock { ($0.status, $0.refusal) }
        if status != 0 && status != 200 {
            continuation.finish(throwing: GatewayClientError.refusal(status: status, body: refusal))
        } else if let error {
            continuation.finish(throwing: unreachable(error))
        } else {
            continuation.finish()
        }
    }
}
