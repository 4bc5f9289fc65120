import Messages
import RPC

/// One call to the text-models that outlives the instances it runs on.
///
/// All that an answer depends on is fixed in the request. So when an instance is lost (killed, frozen, drained away) the
/// call is made again on another one with the same numerics id and says what has been received of each choice. The
/// rest follows, to the bit; its reader sees a pause. With no such instance left the call waits for one until its
/// deadline.
///
/// A call that takes its instances with it must not take all of them: each loss without a new token is counted, the
/// instance is told, and computes the call apart from others; with the third the call fails.
struct ResumableGeneration: Sendable {
    let request: Wire.GenerateRequest
    /// What instances with the same arithmetic share. Until something has been received it may still change.
    private(set) var numericsID: String
    private var attempts: CallAttempts
    private var stream: ReplyStream<Wire.GenerateDelta>?
    private var progress: [ChoiceProgress]
    private var losses = CallLosses()
    private var isGivenUp = false
    /// Equal for prompts that begin alike; nil for one that is too short to be shared.
    private let affinity: [UInt8]?

    init(_ request: Wire.GenerateRequest, numericsID: String, _ attempts: CallAttempts) {
        (self.request, self.numericsID, self.attempts) = (request, numericsID, attempts)
        affinity = PrefixAffinity.key(of: request)
        // The text-model refuses what is out of range; a hostile n is not to be paid for before.
        progress = [ChoiceProgress](repeating: ChoiceProgress(), count: Int(min(request.n, 128)))
    }

    /// The next delta, `nil` after the last one; each token and each byte of text once, whatever happens to instances.
    ///
    /// - Throws: `RPCError`: what a text-model refuses, DEADLINE_EXCEEDED, CANCELLED, or that the call was lost too often.
    mutating func next() async throws -> Wire.GenerateDelta? {
        while !isGivenUp {
            do {
                if stream == nil { try await dispatch() }
                guard let delta = try await stream?.next()?.message else { return nil }
                if try accept(delta) { return delta }
            } catch {
                if progress.allSatisfy(\.isFinished) { return nil }
                try await recover(from: RPCError(converting: error))
            }
        }
        return nil
    }

    /// Stops the work: nobody wants the rest.
    mutating func giveUp() {
        isGivenUp = true
        stream = nil
    }

    /// Sends the call, if an instance takes it at once; `next` does what is left to do.
    ///
    /// - Throws: `RPCError`, as `next`.
    mutating func begin() async throws {
        do { try await dispatch() } catch { try await recover(from: RPCError(converting: error)) }
    }

    /// Sends the call to an instance, waiting for one if need be.
    private mutating func dispatch() async throws {
        if !isUnderWay {
            numericsID = try await attempts.numericsIDAtHand(numericsID, tokenizerHash: request.tokenizerHash)
        }
        var call = request
        call.resume = progress.enumerated().compactMap { $1.resume($0) }
        call.crashesWithoutProgress = losses.count
        var options: CallOptions
        if isUnderWay {
            options = try attempts.optionsUnderWay(numericsID: numericsID)
        } else {
            options = try attempts.options(numericsID: numericsID)
            // Where nothing binds the call to the id, others are looked at soon.
            options.readyTimeout = min(options.readyTimeout, .seconds(1))
        }
        let tokens = progress.reduce(0) { $0 + ($1.isFinished ? 0 : Int(request.maxTokens) - $1.tokenCount) }
        options.cost = max(1, tokens)
        if let affinity {
            // Where the prompt's beginning is cached it need not be computed.
            (options.affinity, options.affinityWorth) = (affinity, request.prompt.count)
        }
        stream = try await attempts.client.stream(Wire.TextModel.generate, call, options)
        losses.dispatched()
    }

    private var isUnderWay: Bool { progress.contains { $0.isFinished || $0.tokenCount > 0 } }

    /// - Returns: whether the delta brings something.
    private mutating func accept(_ delta: Wire.GenerateDelta) throws -> Bool {
        if delta.isStart {
            losses.started()
            return false
        }
        guard progress.indices.contains(Int(delta.choice)) else {
            throw RPCError(.internalError, "a delta of choice \(delta.choice) of \(request.n)", reason: "out_of_order")
        }
        try progress[Int(delta.choice)].accept(delta)
        losses.progressed()
        return true
    }

    private mutating func recover(from error: RPCError) async throws {
        let instance = stream?.instanceID
        stream = nil
        switch try attempts.outcome(of: error) {
        case .failed: throw error
        case .refused: try await attempts.refused(error, by: instance, isUnderWay: isUnderWay)
        case .lost: try attempts.lost(&losses)
        }
    }
}
