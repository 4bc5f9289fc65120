internal import CProtobufC

/// What a call looks like. protobuf-c's descriptors drop `stream`, so it is declared beside each method.
package enum CallKind: Sendable, Equatable {
    case unary
    case serverStreaming
}

/// A service as its generated protobuf-c descriptor tells it.
package struct ServiceSchema: Sendable, Equatable {
    /// Fully qualified, e.g. `nephele.v1.Echo`.
    package let name: String
    package let methods: [MethodSchema]

    init(_ descriptor: ProtobufCServiceDescriptor) {
        name = String(cString: descriptor.name)
        methods = UnsafeBufferPointer(start: descriptor.methods, count: Int(descriptor.n_methods)).map { method in
            MethodSchema(
                name: String(cString: method.name), request: String(cString: method.input.pointee.name),
                reply: String(cString: method.output.pointee.name))
        }
    }
}

/// One `rpc` line: its name and the names of its messages.
package struct MethodSchema: Sendable, Equatable {
    package let name: String
    package let request: String
    package let reply: String
}

/// A method with the Swift types of its messages.
package struct Method<Request: BusMessage, Reply: BusMessage>: Sendable {
    /// On the wire: `nephele.v1.Echo/Count`.
    package let path: String
    package let kind: CallKind

    /// - Precondition: `service` has such a method with these messages: a wrong pairing ends the process at start.
    package init(_ service: ServiceSchema, _ name: String, _ kind: CallKind) {
        guard let schema = service.methods.first(where: { $0.name == name }) else {
            preconditionFailure("\(service.name) has no method \(name); it has \(service.methods.map(\.name))")
        }
        precondition(
            schema.request == Request.codec.name && schema.reply == Reply.codec.name,
            "\(service.name)/\(name) takes \(schema.request) and gives \(schema.reply), "
                + "declared with \(Request.codec.name) and \(Reply.codec.name)")
        path = "\(service.name)/\(name)"
        self.kind = kind
    }
}
