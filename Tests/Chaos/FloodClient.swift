import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A client that costs next to nothing: it sends one request on a connection of its own and waits for the answer's end,
/// whatever the answer is. What a flood is made of must not take the processor from what it floods.
struct FloodClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var retryAfter: String?
        var time: Duration
    }

    let host: String
    let port: Int
    let group: any EventLoopGroup

    /// - Throws: what the connection throws.
    func post(_ path: String, _ body: String, timeoutMilliseconds: Int) async throws -> Answer {
        let start = ContinuousClock.now
        let answer = group.any().makePromise(of: Answer.self)
        let connected = ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer, start))
            }
        }.connect(host: host, port: port)
        connected.whenFailure { answer.fail($0) }
        let channel = try await connected.get()
        let headers: HTTPHeaders = [
            "Host": host, "Content-Type": "application/json", "Content-Length": "\(body.utf8.count)",
            "X-Request-Timeout-Ms": "\(timeoutMilliseconds)",
        ]
        // A connection that is lost before its handler is there says so here.
        channel.closeFuture.whenComplete { _ in answer.fail(ChannelError.eof) }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/" + path, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        let result = try await answer.futureResult.get()
        channel.close(promise: nil)
        return result
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<FloodClient.Answer>
    private let start: ContinuousClock.Instant
    private var head: HTTPResponseHead?
    private var isDone = false

    init(_ promise: EventLoopPromise<FloodClient.Answer>, _ start: ContinuousClock.Instant) {
        (self.promise, self.start) = (promise, start)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head, !isDone else { return }
            isDone = true
            promise.succeed(
                FloodClient.Answer(
                    status: Int(head.status.code), retryAfter: head.headers.first(name: "Retry-After"),
                    time: .now - start))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }
    func channelInactive(context: ChannelHandlerContext) { fail(ChannelError.eof) }

    private func fail(_ error: any Error) {
        guard !isDone else { return }
        isDone = true
        promise.fail(error)
    }
}
