import RPC

/// How often a call has lost its instance without getting any further: such a call may itself be what kills them.
///
/// The first such loss counts whatever the cause, since an instance computes many calls together. From then on the call
/// is computed apart and its instance says so beforehand; so a call that waited while another one killed the instance
/// is not blamed. Only where that happens again and again is it taken for the cause: it may be what kills before anything
/// is computed.
struct CallLosses: Sendable {
    static let limit: UInt32 = 3
    /// Losses without progress that were not its fault, as far as could be seen.
    static let blamelessLimit = 12

    /// Losses without progress.
    private(set) var count: UInt32 = 0
    /// Whether a loss of the instance that has the call now counts.
    private var counts = false
    private var blameless = 0

    mutating func dispatched() { counts = count == 0 }

    /// The instance is about to compute the call apart from others.
    mutating func started() { counts = true }

    /// Something new has been received.
    mutating func progressed() { (count, counts, blameless) = (0, false, 0) }

    /// - Throws: `RPCError.lostTooOften`.
    mutating func lost() throws {
        if counts { count += 1 } else { blameless += 1 }
        counts = false
        if count >= Self.limit || blameless >= Self.blamelessLimit { throw RPCError.lostTooOften }
    }
}

extension RPCError {
    static let lostTooOften = RPCError(
        .internalError,
        "The request's instances were lost again and again without any progress; it is not tried any more.",
        reason: "crashes_without_progress")
}
