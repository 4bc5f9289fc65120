import Foundation
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// What a connection does beside its requests: what is no HTTP is answered in OpenAI's form, a body that does not come is
/// not waited for.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Bytes of a body that bring it another second.
    private static let slowestRate = 128 << 10
    /// How long a body may take to come, and the longer the more of it has come. The server itself closes connections without a whole head in that time.
    private let patience: TimeAmount
    private let bodyLimit: Int
    private var check: Scheduled<Void>?
    /// Since when the body that has not ended is being sent.
    private var readingSince: NIODeadline?
    /// Of that body.
    private var bytesRead = 0
    private var fault: HTTPParserError?
    private var isFaultAnswered = false

    init(patience: TimeAmount, bodyLimit: Int) { (self.patience, self.bodyLimit) = (patience, bodyLimit) }

    func handlerAdded(context: ChannelHandlerContext) {
        guard let codec = try? context.pipeline.syncOperations.context(handlerType: HTTP1ToHTTPServerCodec.self) else {
            return
        }
        try? context.pipeline.syncOperations.addHandler(
            HTTP10Handler(bodyLimit: bodyLimit), position: .before(codec.handler))
    }

    func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            (readingSince, bytesRead) = (.now(), 0)
            if check == nil { look(after: patience, context) }
        case .end: readingSince = nil
        case .body(let bytes): bytesRead += bytes.readableBytes
        }
        context.fireChannelRead(data)
    }

    /// One look is always to come, so that requests need none of their own.
    private func look(after time: TimeAmount, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleTask(in: time) {
            let (own, context) = bound.value
            let more = TimeAmount.seconds(Int64(own.bytesRead / Self.slowestRate))
            let end = own.readingSince.map { $0 + own.patience + more }
            if let end, end <= .now() { return context.close(promise: nil) }
            own.look(after: end.map { $0 - .now() } ?? own.patience, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError { fault = error }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let fault else { return context.write(data, promise: promise) }
        // A body that was no HTTP has had its answer from whoever read it.
        if isFaultAnswered { return promise?.succeed() ?? () }
        let part = unwrapOutboundIn(data)
        if case .end = part { isFaultAnswered = true }
        // The server's own answer to what is no HTTP has no body.
        guard case .head(let head) = part, head.status == .badRequest, head.headerFields[.contentLength] == "0" else {
            return context.write(data, promise: promise)
        }
        let error = APIError(fault)
        let body = JSONWriter(error.body).bytes
        let trace = RequestTrace.new
        var answer = HTTPResponse(status: error.status, headerFields: head.headerFields)
        answer.headerFields[.contentType] = "application/json"
        answer.headerFields[.contentLength] = "\(body.count)"
        answer.headerFields[own: FieldName.requestID] = trace.requestID
        answer.headerFields[own: FieldName.traceparent] = trace.context.header
        context.write(wrapOutboundOut(.head(answer)), promise: promise)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: nil)
    }
}

extension APIError {
    /// What is wrong with bytes that are no HTTP.
    init(_ error: HTTPParserError) {
        if error == .headerOverflow {
            self.init(
                status: .requestHeaderFieldsTooLarge,
                message: "The request's head is too large: it may have 200 fields, 16 KiB each and 64 KiB in all.",
                type: "invalid_request_error")
        } else {
            self = .invalidRequest("This is no HTTP/1.1 request that the gateway can read (\(error)).")
        }
    }
}
