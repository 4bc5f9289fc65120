package import Tensors
package import TextModels

// A model whose later layers are elsewhere. The engine knows no sockets here either: it gives out calls and is given the
// answers. A pass begins with the layers that are here; its rows are kept, sent to the first of the later shards, come
// back, are kept and sent to the next. Groups of sequences are under way at the same time, each with a pass of its own.

/// What an answer of a later shard has led to.
package enum ShardProgress: Sendable {
    /// The pass goes on: a call of this later shard, counted from 0.
    case call(ShardCall, shard: Int)
    case finished([GenerationDelta])
}

extension EngineCore {
    /// Groups into which sequences are divided when they start.
    package var groups: Int {
        get { scheduler.groups }
        set { scheduler.groups = max(1, newValue) }
    }

    /// Groups that have sequences, or may get some.
    package var groupRange: Range<Int> {
        0..<max(scheduler.groups, (scheduler.running.map(\.group).max() ?? 0) + 1)
    }

    /// Whether the group waits for an answer.
    package func isUnderWay(group: Int) -> Bool { later?.flights[group] != nil }

    /// Whether the group has no pass under way and may have something for one.
    package func canBegin(group: Int) -> Bool {
        !isUnderWay(group: group) && (scheduler.hasWaiting || scheduler.running.contains { $0.group == group })
    }

    /// Groups that wait for an answer.
    package var passesUnderWay: Int { later?.flights.count ?? 0 }

    /// Begins a group's pass: the first call of the first later shard; nil when there is nothing to compute.
    ///
    /// - Precondition: the group has no pass under way.
    /// - Throws: `TensorError.tooLarge` when memory for the pass cannot be had.
    package mutating func begin(group: Int) throws(TensorError) -> ShardCall? {
        precondition(later != nil && !isUnderWay(group: group), "group \(group) has no pass to begin")
        guard let (plan, rows) = try pass(of: group), var later else { return nil }
        var places: [Int] = []
        for chunk in plan.chunks {
            let sequence = scheduler.running[chunk.sequence]
            let end = sequence.computed + chunk.count + chunk.drafts.count
            places += LaterShards.places(sequence.computed..<end, pages: sequence.pages)
        }
        later.boundaries[0].replaceRows(places, with: rows)
        later.flights[group] = LaterShards.Flight(plan: plan)
        self.later = later
        guard case .call(let call, _) = try proceed(group) else { return nil }
        return call
    }

    /// Takes the answer to the group's last call.
    ///
    /// - Throws: `TextModelError`: the pass cannot go on. ``abandon(group:)`` it.
    package mutating func take(_ answer: ShardAnswer, group: Int) throws(TextModelError) -> ShardProgress {
        guard var flight = later?.flights[group] else { return .finished([]) }
        switch answer {
        case .missing(let missing):
            flight.losses += 1
            guard flight.losses <= LaterShards.lossLimit else {
                throw TextModelError(
                    .resourceExhausted, "a later shard keeps losing sequences; its cache is too small for this one's")
            }
            note(missing, in: &flight)
        case .rows(let rows):
            guard rows.rowCount == flight.sent.reduce(0, { $0 + $1.outputs }) else {
                throw TextModelError(.invalidCheckpoint, "a later shard answered with \(rows.rowCount) rows")
            }
            for span in flight.sent where position(of: span.residency) != nil {
                later?.knownSequences[flight.shard].insert(span.residency)
            }
            do { try keep(rows, of: &flight) } catch { throw TextModelError(error) }
        }
        later?.flights[group] = flight
        do { return try proceed(group) } catch { throw TextModelError(error) }
    }

    /// Gives a group's pass up.
    ///
    /// - Returns: the requests that had rows in it.
    package mutating func abandon(group: Int) -> [UInt64] {
        guard let flight = later?.flights.removeValue(forKey: group) else { return [] }
        defer { scheduler.restart(flight.plan) }
        return Set(flight.plan.chunks.compactMap { position(of: $0.residency).map { scheduler.running[$0].request } })
            .sorted()
    }

    /// Sequences that have left since the last time; later shards may forget them.
    package mutating func takeReleasedSequences() -> [UInt64] {
        guard let departed = scheduler.releasedSequences, !departed.isEmpty else { return [] }
        scheduler.releasedSequences = []
        for shard in later?.knownSequences.indices ?? 0..<0 { later?.knownSequences[shard].subtract(departed) }
        return departed
    }

    // MARK: The way of a pass

    private func position(of residency: UInt64) -> Int? { scheduler.running.firstIndex { $0.residency == residency } }

    /// What a shard lacks is given to it before the pass comes again.
    private mutating func note(_ missing: [UInt64: Int?], in flight: inout LaterShards.Flight) {
        flight.replays = []
        for span in flight.sent {
            guard let have = missing[span.residency] else { continue }
            later?.knownSequences[flight.shard].remove(span.residency)
            // One that is not known is introduced with all its tokens first: perhaps its pages are there.
            guard let have, let index = position(of: span.residency) else { continue }
            for start in stride(from: max(0, have), to: scheduler.running[index].computed, by: later?.replayRows ?? 1) {
                let end = min(start + (later?.replayRows ?? 1), scheduler.running[index].computed)
                flight.replays.append(
                    .init(chunk: nil, residency: span.residency, start: start, count: end - start, outputs: 0))
            }
        }
    }

    /// Keeps what came back, and moves the pass to the next shard when it was the pass itself.
    private mutating func keep(_ rows: Tensor, of flight: inout LaterShards.Flight) throws(TensorError) {
        guard let later, flight.sent.contains(where: { $0.chunk != nil }) else { return }
        let next = flight.shard + 1
        var row = 0
        let logits: Tensor? =
            next == later.boundaries.count
            ? try Tensor(zeros: [flight.plan.logitRows.count, rows.width]) : nil
        for span in flight.sent {
            defer { row += span.outputs }
            guard let chunk = span.chunk, let index = position(of: span.residency) else { continue }
            let own = rows.rows(row..<row + span.outputs)
            if let logits {
                logits.replaceRows(Array(flight.plan.chunks[chunk].logits), with: own)
            } else {
                let places = LaterShards.places(
                    span.start..<span.start + span.count, pages: scheduler.running[index].pages)
                later.boundaries[next].replaceRows(places, with: own)
            }
        }
        (flight.shard, flight.sent, flight.rows) = (next, [], logits)
    }

    /// The next call of a pass, or its end.
    private mutating func proceed(_ group: Int) throws(TensorError) -> ShardProgress {
        guard var flight = later?.flights[group] else { return .finished([]) }
        if let rows = flight.rows {
            later?.flights[group] = nil
            let plan = remaining(of: flight.plan)
            do {
                return .finished(try finish(plan, rows))
            } catch {
                scheduler.restart(plan)
                throw error
            }
        }
        flight.sent = nextReplay(&flight)
        if flight.sent.isEmpty { flight.sent = spans(of: flight) }
        guard !flight.sent.isEmpty else {
            // All of its sequences have gone.
            later?.flights[group] = nil
            return .finished([])
        }
        later?.flights[group] = flight
        return .call(try call(flight), shard: flight.shard)
    }

    /// The plan for the sequences that are still where they were.
    private func remaining(of plan: RequestScheduler.Plan) -> RequestScheduler.Plan {
        var plan = plan
        plan.chunks = plan.chunks.compactMap { chunk in
            position(of: chunk.residency).map {
                var chunk = chunk
                chunk.sequence = $0
                return chunk
            }
        }
        return plan
    }

    /// Rows of several sequences that lack some, as many as one call takes; each sequence once.
    private func nextReplay(_ flight: inout LaterShards.Flight) -> [LaterShards.Span] {
        var spans: [LaterShards.Span] = []
        var waiting: [LaterShards.Span] = []
        var rows = 0
        for span in flight.replays where position(of: span.residency) != nil {
            if spans.contains(where: { $0.residency == span.residency })
                || waiting.contains(where: { $0.residency == span.residency })
                || rows + span.count > later?.replayRows ?? 0
            {
                waiting.append(span)
            } else {
                spans.append(span)
                rows += span.count
            }
        }
        flight.replays = waiting
        return spans
    }

    private func spans(of flight: LaterShards.Flight) -> [LaterShards.Span] {
        let isLast = flight.shard + 1 == later?.boundaries.count
        return flight.plan.chunks.enumerated().compactMap { number, chunk in
            guard let index = position(of: chunk.residency) else { return nil }
            let count = chunk.count + chunk.drafts.count
            return .init(
                chunk: number, residency: chunk.residency, start: scheduler.running[index].computed, count: count,
                outputs: isLast ? chunk.logits.count : count)
        }
    }

    private func call(_ flight: LaterShards.Flight) throws(TensorError) -> ShardCall {
        guard let later else { preconditionFailure("a model that is here whole makes no calls") }
        var parts: [ShardCall.Part] = []
        var places: [Int] = []
        for span in flight.sent {
            guard let index = position(of: span.residency) else { continue }
            let sequence = scheduler.running[index], end = span.start + span.count
            places += LaterShards.places(span.start..<end, pages: sequence.pages)
            let drafts = span.chunk.map { flight.plan.chunks[$0].drafts } ?? []
            let tokens = sequence.tokens + drafts
            let first = later.knownSequences[flight.shard].contains(span.residency) ? span.start : 0
            parts.append(
                .init(
                    sequence: span.residency, start: span.start, count: span.count, outputs: span.outputs,
                    tokens: Array(tokens[first..<end]), root: sequence.parameters.cacheRoot,
                    adapter: sequence.parameters.adapter?.contentID ?? "",
                    taken: span.count - drafts.count,
                    checkpoint: span.chunk.flatMap { _ in sequence.checkpointUnderWay }))
        }
        return ShardCall(parts: parts, rows: try later.boundaries[flight.shard].selectingRows(places))
    }
}
