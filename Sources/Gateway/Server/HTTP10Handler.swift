import NIOCore
import NIOHTTP1

/// Handles HTTP/1.0 connections and `Expect: 100-continue`, which the server leaves out. An answer to HTTP/1.0 has no chunks:
/// one of unknown length ends with the connection.
final class HTTP10Handler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A request whose answer is still to be written.
    private struct Request {
        var isOld: Bool
        /// Whether the client asked for it, as HTTP/1.0 does not mean it by itself.
        var keepsAlive: Bool
    }

    private let bodyLimit: Int
    /// In order: clients send the next request before they have the answer to the last one.
    private var requests = CircularBuffer<Request>()
    /// Whether the connection is closed behind the answer that is being written.
    private var closes = false

    init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let isOld = (head.version.major, head.version.minor) < (1, 1)
        requests.append(Request(isOld: isOld, keepsAlive: head.isKeepAlive))
        if !isOld, head.headers.first(name: "expect")?.lowercased() == "100-continue",
            head.headers.first(name: "content-length").flatMap({ Int($0) }) ?? 0
                <= (head.uri.hasPrefix("/v1/files") ? FileStore.sizeLimit : bodyLimit)
        {
            context.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
        }
        guard isOld, !head.isKeepAlive else { return context.fireChannelRead(data) }
        head.headers.replaceOrAdd(name: "connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        guard let request = requests.first, request.isOld else {
            if case .end = part { _ = requests.popFirst() }
            return context.write(data, promise: promise)
        }
        switch part {
        case .head(var head):
            head.version = .http1_0
            closes = !head.headers.contains(name: "content-length")
            if closes {
                head.headers.replaceOrAdd(name: "connection", value: "close")
            } else if !head.headers.contains(name: "connection") {
                head.headers.add(name: "connection", value: request.keepsAlive ? "keep-alive" : "close")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            _ = requests.popFirst()
            guard closes else { return context.write(data, promise: promise) }
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
            context.write(data, promise: written)
        }
    }
}
