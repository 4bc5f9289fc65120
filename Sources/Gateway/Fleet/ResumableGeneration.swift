import Messages
import RPC

/// One call to the text-models that outlives the instances it runs on.
///
/// All that an answer depends on is fixed in the request. So when an instance is lost (killed, frozen, drained away) the
/// call is made again on another one with the same numerics id and says what has been received of each choice. The
/// rest follows, to the bit; its reader sees a pause. With no such instance left the call waits for one until its
/// deadline.
///
/// A call that kills its instances must not kill all of them. Each loss without a new token is counted and goes with the
/// call, so that the next instance computes it apart from others. With the third loss the call fails.
struct ResumableGeneration: Sendable {
    let request: Wire.GenerateRequest
    /// What instances with the same arithmetic share. Until something has been received it may still change.
    private(set) var numericsID: String
    private var attempts: CallAttempts
    private var stream: ReplyStream<Wire.GenerateDelta>?
    private var progress: [ChoiceProgress]
    private var isGivenUp = false
    /// What was received in another gateway, and is given once more.
    private var restored: [Wire.GenerateDelta].SubSequence = []
    /// Equal for prompts that begin alike; nil for one that is too short to be shared.
    private let affinity: [UInt8]?

    /// - Parameter cacheKey: what the client calls prompts that have much in common; nil for what they begin with.
    init(
        _ request: Wire.GenerateRequest, numericsID: String, _ attempts: CallAttempts, cacheKey: String? = nil
    ) {
        (self.request, self.numericsID, self.attempts) = (request, numericsID, attempts)
        affinity = PrefixAffinity.key(of: request, named: cacheKey)
        // The text-model refuses what is out of range; a hostile n is not to be paid for before.
        progress = [ChoiceProgress](repeating: ChoiceProgress(), count: Int(min(request.n, 128)))
    }

    /// Goes on with what another gateway has received of the same request.
    ///
    /// - Throws: `RPCError` for deltas that do not follow each other.
    mutating func restore(_ received: [Wire.GenerateDelta]) throws {
        for delta in received { _ = try accept(delta) }
        restored += received
    }

    /// The next delta, `nil` after the last one; each token and each byte of text once, whatever happens to instances.
    ///
    /// - Throws: `RPCError`: what a text-model refuses, DEADLINE_EXCEEDED, CANCELLED, or that the call was lost too often.
    mutating func next() async throws -> Wire.GenerateDelta? {
        while !isGivenUp {
            if let delta = restored.popFirst() { return delta }
            do {
                if stream == nil {
                    if hasEnded { return nil }
                    try await dispatch()
                }
                guard let delta = try await stream?.next()?.message else { return nil }
                if try accept(delta) { return delta }
            } catch {
                if hasEnded { return nil }
                try await recover(from: error)
            }
        }
        return nil
    }

    /// Stops the work: the rest is not wanted any more.
    mutating func giveUp() {
        isGivenUp = true
        stream = nil
    }

    /// Sends the call, if an instance takes it at once; `next` does what is left to do.
    ///
    /// - Throws: `RPCError`, as `next`.
    mutating func begin() async throws {
        if hasEnded { return }
        do { try await dispatch() } catch { try await recover(from: error) }
    }

    /// Sends the call to an instance, waiting for one if need be.
    private mutating func dispatch() async throws {
        var options = try await attempts.options(
            numericsID: &numericsID, tokenizerHash: request.tokenizerHash, isUnderWay: isUnderWay)
        var call = request
        call.resume = progress.enumerated().compactMap { $1.resume($0) }
        call.crashesWithoutProgress = attempts.losses.count
        let tokens = progress.reduce(0) { $0 + ($1.isFinished ? 0 : Int(request.maxTokens) - $1.tokenCount) }
        options.cost = max(1, tokens)
        if let affinity {
            // Where the prompt's beginning is cached it need not be computed.
            (options.affinity, options.affinityWorth) = (affinity, request.prompt.count)
        }
        stream = try await attempts.client.stream(Wire.TextModel.generate, call, options)
        attempts.dispatched()
    }

    private var hasEnded: Bool { progress.allSatisfy(\.isFinished) }

    private var isUnderWay: Bool { progress.contains { $0.isFinished || $0.tokenCount > 0 } }

    /// - Returns: whether the delta brings something.
    private mutating func accept(_ delta: Wire.GenerateDelta) throws -> Bool {
        if delta.isStart {
            attempts.started()
            return false
        }
        guard progress.indices.contains(Int(delta.choice)) else {
            throw RPCError(.internalError, "a delta of choice \(delta.choice) of \(request.n)", reason: "out_of_order")
        }
        try progress[Int(delta.choice)].accept(delta)
        attempts.progressed()
        return true
    }

    private mutating func recover(from error: any Error) async throws {
        let instance = stream?.instanceID
        stream = nil
        try await attempts.recover(from: error, by: instance, isUnderWay: isUnderWay)
    }
}
