import Hummingbird
import Synchronization

/// What the gateway takes on at a time: requests, and bytes of their bodies. Beyond it a request is refused before its
/// body is read, so that a flood costs no memory.
package final class Admission: Sendable {
    /// What a request holds of the admission until it leaves.
    struct Ticket: Sendable {
        fileprivate let bytes: Int
    }

    private struct State {
        var requests = 0
        var bytes = 0
        var refused = 0
    }

    private let requestLimit: Int
    private let byteLimit: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - requestLimit: requests under way, at most.
    ///   - byteLimit: of all their bodies.
    package init(requestLimit: Int = 2_048, byteLimit: Int = 256 << 20) {
        (self.requestLimit, self.byteLimit) = (requestLimit, byteLimit)
    }

    /// Requests under way.
    var requests: Int { state.withLock { $0.requests } }
    /// Requests that were refused because there was no room.
    var refused: Int { state.withLock { $0.refused } }

    /// - Parameter bytes: that the body may have.
    /// - Returns: what is to be given back by `leave`, once.
    /// - Throws: `APIError` 503 when there is no room.
    func enter(bytes: Int) throws -> Ticket {
        let isIn = state.withLock { state in
            guard state.requests < requestLimit, bytes <= byteLimit - state.bytes else {
                state.refused += 1
                return false
            }
            state.requests += 1
            state.bytes += bytes
            return true
        }
        guard isIn else {
            throw APIError(
                status: .serviceUnavailable, message: "The gateway has as many requests under way as it takes.",
                type: "server_error", code: "server_is_overloaded", retryAfter: 1)
        }
        return Ticket(bytes: bytes)
    }

    func leave(_ ticket: Ticket) {
        state.withLock { state in
            state.requests -= 1
            state.bytes -= ticket.bytes
        }
    }
}
