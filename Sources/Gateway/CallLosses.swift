import RPC

/// How often a call has lost its instance without getting any further: such a call may itself be what kills them.
///
/// The first such loss counts whatever the cause, since an instance computes many calls together. From then on the call
/// is computed apart and its instance says so beforehand; so a call that waited while another one killed the instance
/// is not blamed.
struct CallLosses: Sendable {
    static let limit: UInt32 = 3

    /// Losses without progress.
    private(set) var count: UInt32 = 0
    /// Whether a loss of the instance that has the call now counts.
    private var counts = false

    mutating func dispatched() { counts = count == 0 }

    /// The instance is about to compute the call apart from others.
    mutating func started() { counts = true }

    /// Something new has been received.
    mutating func progressed() { (count, counts) = (0, false) }

    /// - Throws: `RPCError.lostTooOften`.
    mutating func lost() throws {
        if counts { count += 1 }
        counts = false
        if count >= Self.limit { throw RPCError.lostTooOften }
    }
}

extension RPCError {
    static let lostTooOften = RPCError(
        .internalError,
        "The request's instance was lost \(CallLosses.limit) times without any progress; it is not tried again.",
        reason: "crashes_without_progress")
}
