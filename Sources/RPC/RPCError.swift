internal import Messages

/// The one error of the RPC layer, and what crosses the wire when a call fails.
package struct RPCError: Error, Equatable, CustomStringConvertible {
    /// gRPC's status codes, with gRPC's numbers.
    package enum Code: UInt32, Sendable, CaseIterable {
        case cancelled = 1
        case unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
        case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, internalError
        case unavailable, dataLoss, unauthenticated
    }

    package var code: Code
    /// What was wrong, with what value, and what to do. Never a user's content.
    package var message: String
    /// Machine-readable cause within the code, e.g. `instance_mismatch`.
    package var reason: String
    /// The request's field at fault.
    package var field: String
    /// When trying again makes sense.
    package var retryAfter: Duration?
    /// No handler saw the call: calling again, elsewhere or later, is safe.
    package var notStarted: Bool

    package init(
        _ code: Code, _ message: String, reason: String = "", field: String = "", retryAfter: Duration? = nil,
        notStarted: Bool = false
    ) {
        self.code = code
        self.message = message
        self.reason = reason
        self.field = field
        self.retryAfter = retryAfter
        self.notStarted = notStarted
    }

    package var description: String {
        "\(code): \(message)" + (reason.isEmpty ? "" : " [\(reason)]") + (field.isEmpty ? "" : " (field \(field))")
    }
}

extension RPCError {
    /// What a handler or codec threw, as it crosses the wire: unknown causes become `internalError` without details.
    package init(converting error: any Error) {
        switch error {
        case let error as RPCError: self = error
        case is CancellationError: self.init(.cancelled, "the call was cancelled")
        case let error as any RPCErrorConvertible: self = error.rpcError
        default: self.init(.internalError, "the service failed with an error of type \(type(of: error)); see its log")
        }
    }

    /// `nil` for a call that ended well.
    init?(_ end: CallEnd) {
        guard end.code != 0 else { return nil }
        self.init(
            Code(rawValue: end.code) ?? .unknown, end.message, reason: end.reason, field: end.field,
            retryAfter: end.retryAfter, notStarted: end.notStarted)
    }

    var end: CallEnd {
        var end = CallEnd(code: code.rawValue)
        end.message = String(message.prefix(2048))
        end.reason = String(reason.prefix(128))
        end.field = String(field.prefix(128))
        end.retryAfter = retryAfter
        end.notStarted = notStarted
        return end
    }

    /// Malformed bytes of a peer.
    static func protocolViolation(_ message: String) -> RPCError {
        RPCError(.internalError, message, reason: "protocol_violation")
    }
}

/// A module's own error that says which gRPC status it is.
package protocol RPCErrorConvertible: Error {
    var rpcError: RPCError { get }
}
