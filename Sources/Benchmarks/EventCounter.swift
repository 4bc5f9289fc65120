internal import NIOCore
internal import Synchronization

/// Notes when each `data: {` of a response arrives.
final class EventCounter: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct State {
        var arrivals: [ContinuousClock.Instant] = []
        /// Bytes of the pattern that the last buffer ended with.
        var matched = 0
        /// The response's beginning, for an error's message.
        var head: [UInt8] = []
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private static let pattern = [UInt8]("data: {".utf8)
    private let state = Mutex(State())

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = ContinuousClock.now
        let buffer = unwrapInboundIn(data)
        state.withLock { state in
            if state.head.count < 512 { state.head += buffer.readableBytesView.prefix(512) }
            for byte in buffer.readableBytesView {
                // The pattern's first byte occurs in it nowhere else.
                state.matched =
                    byte == Self.pattern[state.matched] ? state.matched + 1 : byte == Self.pattern[0] ? 1 : 0
                guard state.matched == Self.pattern.count else { continue }
                state.matched = 0
                state.arrivals.append(now)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let waiter = state.withLock { state in
            state.isOver = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// When each event came, once the connection is closed.
    func finished() async throws -> [ContinuousClock.Instant] {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiter = continuation }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
        let (arrivals, head) = state.withLock { ($0.arrivals, $0.head) }
        guard head.starts(with: "HTTP/1.1 200".utf8) else {
            throw ServiceBenchmarkError("the gateway answered \(String(decoding: head.prefix(512), as: UTF8.self))")
        }
        return arrivals
    }
}
