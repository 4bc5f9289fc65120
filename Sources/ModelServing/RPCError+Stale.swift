package import RPC

extension RPCError {
    /// The model cannot come back as it was: its files have changed meanwhile.
    package static let staleReason = "stale_revision"

    package static func stale(_ name: String) -> RPCError {
        RPCError(
            .unavailable,
            "the files of \"\(name)\" have changed since it was unloaded; its new revision is being loaded",
            reason: staleReason, retryAfter: .seconds(1), notStarted: true)
    }
}
