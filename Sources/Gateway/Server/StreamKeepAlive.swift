import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Sends a comment line into a stream of server-sent events whenever nothing else has been sent for a while, from the head
/// on: proxies and clients close connections that are silent for half a minute. Whoever writes events writes each whole, so
/// that a comment never lands inside one.
final class StreamKeepAlive: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let interval: TimeAmount
    /// nil while no stream is being written.
    private var lastWrite: NIODeadline?
    private var check: Scheduled<Void>?

    init(interval: TimeAmount) { self.interval = interval }

    func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            guard head.headerFields[.contentType]?.hasPrefix("text/event-stream") == true else { break }
            lastWrite = context.eventLoop.now
            if check == nil { look(after: interval, context) }
        case .body: if lastWrite != nil { lastWrite = context.eventLoop.now }
        case .end: lastWrite = nil
        }
        context.write(data, promise: promise)
    }

    private func look(after time: TimeAmount, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleTask(in: time) {
            let (own, context) = bound.value
            own.check = nil
            guard let last = own.lastWrite, context.channel.isActive else { return }
            let left = last + own.interval - context.eventLoop.now
            if left > .zero { return own.look(after: left, context) }
            if context.channel.isWritable {
                let comment = ByteBuffer(string: ": keep-alive\n\n")
                context.writeAndFlush(own.wrapOutboundOut(.body(comment)), promise: nil)
            }
            own.lastWrite = context.eventLoop.now
            own.look(after: own.interval, context)
        }
    }
}
