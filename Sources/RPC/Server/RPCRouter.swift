package import Messages

/// Methods and their handlers, kept under the names of protobuf-c's service descriptors.
package struct RPCRouter: Sendable {
    enum Handler: Sendable {
        /// Runs on the transport's thread.
        case immediate(@Sendable (RawSpan, [Attachment], ServerContext) throws -> OutboundReply)
        /// Runs in a task of its own.
        case task(@Sendable (InboundMessage, ServerContext, ReplySink) async throws -> OutboundReply?)
    }

    private(set) var handlers: [String: Handler] = [:]
    /// Look at each call before its handler does.
    var interceptors: [any ServerInterceptor] = []

    package init() {}

    package var methods: [String] { handlers.keys.sorted() }

    /// A unary method that answers at once: no waiting, no heavy work, since it runs on the transport's thread.
    package mutating func immediate<Request, Reply>(
        _ method: Method<Request, Reply>,
        _ handler: @escaping @Sendable (ServerRequest<Request>, ServerContext) throws -> ServerReply<Reply>
    ) {
        precondition(method.kind == .unary, "\(method.path) is \(method.kind); only unary methods answer at once")
        add(
            method.path,
            .immediate { body, attachments, context in
                let request = ServerRequest(message: try Request(request: body), attachments: attachments)
                return OutboundReply(try handler(request, context))
            })
    }

    package mutating func unary<Request, Reply>(
        _ method: Method<Request, Reply>,
        _ handler: @escaping @Sendable (ServerRequest<Request>, ServerContext) async throws -> ServerReply<Reply>
    ) {
        precondition(method.kind == .unary, "\(method.path) is \(method.kind); register it with serverStreaming")
        add(
            method.path,
            .task { message, context, _ in
                let request = ServerRequest(
                    message: try message.body.withSpan { try Request(request: $0) }, attachments: message.attachments)
                return OutboundReply(try await handler(request, context))
            })
    }

    /// The call ends when the handler returns or throws.
    package mutating func serverStreaming<Request, Reply>(
        _ method: Method<Request, Reply>,
        _ handler:
            @escaping @Sendable (ServerRequest<Request>, ReplyWriter<Reply>, ServerContext) async throws -> Void
    ) {
        precondition(method.kind == .serverStreaming, "\(method.path) is \(method.kind); register it with unary")
        add(
            method.path,
            .task { message, context, sink in
                let request = ServerRequest(
                    message: try message.body.withSpan { try Request(request: $0) }, attachments: message.attachments)
                try await handler(request, ReplyWriter(sink: sink), context)
                return nil
            })
    }

    private mutating func add(_ path: String, _ handler: Handler) {
        precondition(handlers[path] == nil, "\(path) is registered twice; a method has one handler")
        handlers[path] = handler
    }
}

/// A set of methods that a server hosts.
package protocol RPCService: Sendable {
    func register(with router: inout RPCRouter)
}

/// Looks at each call before its handler, on the transport's thread; throwing refuses it.
package protocol ServerInterceptor: Sendable {
    func admit(_ context: ServerContext) throws
}

/// A reply, encoded.
struct OutboundReply: Sendable {
    var body: [UInt8]
    var attachments: [Attachment]

    init<Message>(_ reply: ServerReply<Message>) {
        body = reply.message.encoded()
        attachments = reply.attachments
    }
}

extension BusMessage {
    /// A request from outside.
    /// - Throws: `RPCError`, INVALID_ARGUMENT.
    init(request bytes: RawSpan) throws {
        do {
            try self.init(decoding: bytes)
        } catch {
            throw RPCError(.invalidArgument, "the request is malformed: \(error)", reason: "malformed_request")
        }
    }
}
