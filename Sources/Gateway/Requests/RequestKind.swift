import Accounts

/// How the requests of a route are handled.
enum RequestKind: Sendable {
    /// An answer that a model makes: it has a deadline, is cancelled when its client goes, and tells of the key's limits.
    case generation
    /// Something that is looked up in time: it has a deadline.
    case query
    /// Something that is carried to its end once it has begun.
    case operation(by: Account.Role)

    static let operation = RequestKind.operation(by: .user)

    var isGeneration: Bool { if case .generation = self { true } else { false } }

    /// Whether the client's X-Request-Timeout-Ms is heeded.
    var hasDeadline: Bool { if case .operation = self { false } else { true } }

    /// The role that the key must have.
    var role: Account.Role { if case .operation(let role) = self { role } else { .user } }
}
