import Concurrency
import RPC
import TextModels

// How the loop goes when the model's later layers are elsewhere: it never waits for one pass while another group's
// could be computed.
extension TextEngineLoop {
    /// Groups of sequences, at most.
    private static let groupLimit = 16

    /// Begins what can begin, then takes the answers that come.
    mutating func exchange(with shards: LaterShardClients) {
        for delta in core.takeEarly() { hand(delta) }
        // One group for each process that computes, this one too.
        core.groups = min(Self.groupLimit, 1 + max(shards.layers.count, shards.replicaCount))
        for group in core.groupRange where core.canBegin(group: group) { begin(group, shards) }
        let departures = core.takeReleasedSequences()
        if !departures.isEmpty { shards.release(departures) }
        guard core.passesUnderWay > 0 else { return }
        // Requests that come or go meanwhile are looked at soon, though no answer may come.
        guard let first = shards.answers.take(until: .now + .milliseconds(20)) else { return }
        for answer in [first] + shards.answers.takeAll() { take(answer, shards) }
    }

    private mutating func begin(_ group: Int, _ shards: LaterShardClients) {
        gauge.beginStep()
        defer { gauge.endStep() }
        do {
            core.promptBudget = pacer.promptBudget(decodingRows: core.decodingCount)
            let start = ContinuousClock.now
            guard let call = try core.begin(group: group) else { return }
            begun[group] = (start, core.lastRows)
            shards.send(call, to: 0, group: group)
        } catch {
            giveUp(core.abandon(group: group), RPCError(.resourceExhausted, error.message, retryAfter: .seconds(1)))
        }
    }

    private mutating func take(_ answer: LaterShardClients.Answer, _ shards: LaterShardClients) {
        gauge.beginStep()
        defer { gauge.endStep() }
        do {
            switch try core.take(answer.result.get(), group: answer.group) {
            case .call(let call, let shard): shards.send(call, to: shard, group: answer.group)
            case .finished(let deltas):
                if let pass = begun.removeValue(forKey: answer.group) {
                    record(rows: pass.rows, since: pass.start)
                }
                for delta in deltas { hand(delta) }
            }
        } catch {
            let cause = (error as? TextModelError).map { RPCError(textModel: $0) } ?? RPCError(converting: error)
            giveUp(core.abandon(group: answer.group), cause)
        }
    }
}
