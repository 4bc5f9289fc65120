import Messages
import RPC

/// How one call is made, again and again if need be, until it succeeds or its deadline passes: which instances have
/// refused it, and how long to wait before all are asked once more.
struct CallAttempts: Sendable {
    /// What became of an attempt.
    enum Outcome: Sendable {
        /// The instance is gone, with what it may have done.
        case lost
        /// The instance would not begin; another may.
        case refused
        /// Trying again brings nothing else.
        case failed
    }

    private static let longestWait: Duration = .seconds(1)

    let client: RPCClient
    /// As requests name it.
    let model: String
    let deadline: ContinuousClock.Instant
    let counters: CallCounters
    /// How long the revision that an answer was begun with may have no instance while the model has others: the time that
    /// a replica may take to start again.
    private let revisionWait: Duration
    /// Whether the call cannot be what kills its instances: then its losses are not counted.
    private let isHarmless: Bool
    private(set) var losses = CallLosses()
    private var goneSince: ContinuousClock.Instant?
    private var refusing: Set<String> = []
    private var wait: Duration = .milliseconds(10)

    init(
        _ client: RPCClient, model: String, until deadline: ContinuousClock.Instant,
        _ counters: CallCounters = CallCounters(), revisionWait: Duration = .seconds(60), isHarmless: Bool = false
    ) {
        (self.client, self.model, self.deadline, self.counters) = (client, model, deadline, counters)
        (self.revisionWait, self.isHarmless) = (revisionWait, isHarmless)
    }

    /// For the next attempt of a call that goes on with the numbers it was begun with.
    ///
    /// - Parameters:
    ///   - numericsID: what instances with the same arithmetic share; changed to one that is at hand, as long as the call
    ///     is not under way.
    ///   - tokenizerHash: of the tokenizer that encoded the prompt; empty for none.
    ///   - isUnderWay: whether the client has something of the answer.
    /// - Throws: `RPCError` when there is no time left, or the revision is gone for good.
    mutating func options(
        numericsID: inout String, tokenizerHash: String = "", isUnderWay: Bool
    ) async throws -> CallOptions {
        if isUnderWay { return try optionsUnderWay(numericsID: numericsID) }
        numericsID = try await numericsIDAtHand(numericsID, tokenizerHash: tokenizerHash)
        var options = try options(numericsID: numericsID)
        // Where nothing binds the call to the id, others are looked at soon.
        options.readyTimeout = min(options.readyTimeout, .seconds(1))
        return options
    }

    /// For the next attempt; it waits for an instance as long as there is time.
    ///
    /// - Throws: `RPCError` when there is none left.
    func options(numericsID: String? = nil) throws -> CallOptions {
        let left = deadline - .now
        guard left > .zero else { throw RPCError.requestDeadline }
        var options = CallOptions(timeout: left) { [model, refusing] description in
            description.models.contains { $0.name == model } && !refusing.contains(description.instanceID)
        }
        options.numericsID = numericsID
        options.readyTimeout = left
        return options
    }

    /// For the next attempt of a call that its client has something of: it is bound to the revision that it was begun with.
    private mutating func optionsUnderWay(numericsID: String) throws -> CallOptions {
        let models = client.instances.flatMap { instance in
            instance.description.models.filter { $0.name == model }.map { (id: $0.numericsID, state: instance.state) }
        }
        if models.contains(where: { $0.id == numericsID }) || !models.contains(where: { $0.state == .ready }) {
            goneSince = nil
        } else if let goneSince, .now - goneSince >= revisionWait {
            throw RPCError.revisionGone(model, after: revisionWait)
        } else if goneSince == nil {
            goneSince = .now
        }
        var options = try options(numericsID: numericsID)
        options.readyTimeout = min(options.readyTimeout, revisionWait / 4)
        return options
    }

    /// The id of an instance that is ready, the one that was meant if it has any.
    ///
    /// - Parameter tokenizerHash: of the tokenizer that encoded the prompt; empty for none.
    private func numericsIDAtHand(_ meant: String, tokenizerHash: String) async throws -> String {
        let model = model
        func revisions(_ instances: [Instance]) -> [ModelDescription] {
            instances.filter { $0.state == .ready }.flatMap(\.description.models).filter { $0.name == model }
        }
        let left = deadline - .now
        let found = revisions(try await client.waitUntil(timeout: left) { !revisions($0).isEmpty })
        if found.contains(where: { $0.numericsID == meant }) { return meant }
        let fitting = found.filter {
            [tokenizerHash, $0.tokenizerHash].contains("") || $0.tokenizerHash == tokenizerHash
        }
        let revision = fitting.first { !$0.isRetiring } ?? fitting.first ?? found.first
        return revision?.numericsID ?? meant
    }

    /// After an attempt that failed: returns when another one may be made.
    ///
    /// - Parameters:
    ///   - instance: who had the call, if it is known.
    ///   - isUnderWay: whether the client has something of the answer.
    /// - Throws: `RPCError` when there is to be no other one.
    mutating func recover(from error: any Error, by instance: String? = nil, isUnderWay: Bool) async throws {
        let error = RPCError(converting: error)
        switch try outcome(of: error) {
        case .failed: throw error
        case .refused: try await refused(error, by: instance, isUnderWay: isUnderWay)
        case .lost: try lost()
        }
    }

    mutating func dispatched() { losses.dispatched() }

    /// The instance is about to compute the call apart from others.
    mutating func started() { losses.started() }

    /// Something new has been received.
    mutating func progressed() { losses.progressed() }

    /// What an attempt's error means for the next one.
    ///
    /// - Throws: `RPCError` when the client has gone or the deadline has passed.
    private func outcome(of error: RPCError) throws -> Outcome {
        if Task.isCancelled { throw error }
        if .now >= deadline { throw RPCError.requestDeadline }
        switch error.code {
        case .unavailable where ["client_closed", "revision_gone"].contains(error.reason): return .failed
        case .unavailable: return error.notStarted ? .refused : .lost
        // The gateway has not cancelled it: the instance gives up what it runs.
        case .cancelled: return .lost
        case .failedPrecondition: return error.notStarted ? .refused : .failed
        case .resourceExhausted: return error.notStarted || error.retryAfter != nil ? .refused : .failed
        default: return .failed
        }
    }

    /// After a loss: the call moves.
    ///
    /// - Throws: `RPCError.lostTooOften`.
    private mutating func lost() throws {
        do { if !isHarmless { try losses.lost() } } catch {
            counters.countGivenUp()
            throw error
        }
        counters.countMigrated()
    }

    /// After a refusal: another instance is next, or all of them after a wait.
    ///
    /// - Parameters:
    ///   - instance: who refused, if it is known.
    ///   - isUnderWay: whether the client has something of the answer: then it is not turned away any more.
    /// - Throws: the error, when all are too busy for a call that could still be turned away, or none has the tokenizer
    ///   that its prompt was encoded by.
    private mutating func refused(_ error: RPCError, by instance: String?, isUnderWay: Bool) async throws {
        if let instance { refusing.insert(instance) }
        let others = client.instances.contains { candidate in
            candidate.state == .ready && !refusing.contains(candidate.id)
                && candidate.description.models.contains { $0.name == model }
        }
        if others, instance != nil { return }
        // That was a wait already.
        if isUnderWay, error.reason == "no_instance" {
            refusing = []
            return
        }
        let isBusy = error.code == .resourceExhausted && !isUnderWay
        if isBusy || error.reason == "tokenizer_mismatch" { throw error }
        let now = ContinuousClock.now
        do { try await Task.sleep(for: min(wait, max(.zero, deadline - now))) } catch {
            throw RPCError(.cancelled, "the client is gone")
        }
        wait = min(wait * 2, Self.longestWait)
        refusing = []
    }
}

extension RPCError {
    static func revisionGone(_ model: String, after time: Duration) -> RPCError {
        RPCError(
            .unavailable,
            "The revision of '\(model)' that this answer was begun with has had no instance for "
                + "\(time.components.seconds) s, and others would not go on with the same numbers; send the request "
                + "again.", reason: "revision_gone")
    }

    static let requestDeadline = RPCError(
        .deadlineExceeded,
        "The request's deadline passed before its answer was complete; X-Request-Timeout-Ms sets another.",
        reason: "deadline")
}
