internal import CZeroMQ

/// What libzmq refused.
package struct ZeroMQError: Error, Equatable, CustomStringConvertible {
    package let operation: String
    package let number: Int32

    package var description: String { "\(operation): \(String(cString: zmq_strerror(number)))" }

    /// The peer is not (or no longer) there: a ROUTER's send with `ZMQ_ROUTER_MANDATORY`.
    package var isHostUnreachable: Bool { number == EHOSTUNREACH }
    package var isAddressInUse: Bool { number == EADDRINUSE }
    /// The context is being ended: the loop's cue to leave.
    package var isTerminated: Bool { number == ETERM }
}

/// The one place where libzmq's return codes are read: EAGAIN is `nil`, everything else that failed throws.
@discardableResult
func check(_ operation: @autoclosure () -> String, _ body: () -> Int32) throws(ZeroMQError) -> Int32? {
    while true {
        let code = body()
        if code >= 0 { return code }
        switch zmq_errno() {
        case EINTR: continue
        case EAGAIN: return nil
        case let number: throw ZeroMQError(operation: operation(), number: number)
        }
    }
}
