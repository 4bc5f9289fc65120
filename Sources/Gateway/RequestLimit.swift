import Hummingbird
import Synchronization

/// How many requests the gateway has under way; beyond its limit the next is refused before its body is read.
final class RequestLimit: Sendable {
    private let limit: Int
    private let count = Atomic<Int>(0)

    init(_ limit: Int) { self.limit = limit }

    /// Under way now.
    var running: Int { count.load(ordering: .relaxed) }

    /// Held as long as a request is under way, its answer's stream included.
    final class Place: Sendable {
        private let owner: RequestLimit

        fileprivate init(_ owner: RequestLimit) { self.owner = owner }

        deinit { owner.count.subtract(1, ordering: .relaxed) }
    }

    /// - Throws: `APIError`, 503.
    func enter() throws -> Place {
        let place = Place(self)
        guard count.add(1, ordering: .relaxed).newValue <= limit else {
            throw APIError(
                status: .serviceUnavailable, message: "\(limit) requests are under way here; try again.",
                type: "server_error", code: "server_is_overloaded", retryAfter: 1)
        }
        return place
    }
}
