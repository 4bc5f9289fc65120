internal import Messages
internal import Synchronization

/// What goes back to the client.
extension ServerConnection {
    /// Ends a call after everything written before.
    func complete(_ call: ServerCall, _ result: Result<OutboundReply?, RPCError>) {
        var end = CallEnd(code: 0)
        var item = OutboundItem(content: .end(end), body: [])
        do throws(RPCError) {
            if let reply = try result.get() {
                try limits.check(reply.body, reply.attachments)
                end.hasMessage = true
                end.attachmentSizes = reply.attachments.map(\.count)
                item = OutboundItem(content: .end(end), body: reply.body, attachments: reply.attachments)
            }
        } catch {
            item = OutboundItem(content: .end(error.end), body: [])
        }
        let advanced = locked { state in
            let ended = enqueue(call.id, item, &state)
            return ended.merged(with: pumpChunks(&state))
        }
        advanced.finish()
    }

    /// - Throws: CANCELLED when the call is over, RESOURCE_EXHAUSTED when `bound` items wait already.
    func send(_ call: UInt64, _ item: OutboundItem, bound: Int) throws(RPCError) {
        let advanced = try locked { state throws(RPCError) in
            guard let waiting = state.table.waiting(call) else {
                throw RPCError(.cancelled, "nobody reads the reply any more", reason: "reader_gone")
            }
            guard waiting < bound else {
                throw RPCError(
                    .resourceExhausted, "\(waiting) messages wait for a slow reader, the bound is \(bound)",
                    reason: "slow_reader")
            }
            return enqueue(call, item, &state).merged(with: pumpChunks(&state))
        }
        advanced.finish()
    }

    func waiting(_ call: UInt64) -> Int {
        locked { $0.table.waiting(call) ?? 0 }
    }

    /// Waits until everything written is sent.
    func drained(_ call: UInt64) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isDone = locked { state -> Result<Bool, RPCError> in
                    guard let waiting = state.table.waiting(call), !Task.isCancelled else {
                        return .failure(RPCError(.cancelled, "nobody reads the reply any more", reason: "reader_gone"))
                    }
                    if waiting > 0 { state.writers[call, default: []].append(continuation) }
                    return .success(waiting == 0)
                }
                switch isDone {
                case .success(true): continuation.resume()
                case .success(false): break
                case .failure(let error): continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            let writers = locked { Self.takeWriters(call, &$0) }
            for writer in writers { writer.resume(throwing: RPCError(.cancelled, "the call was cancelled")) }
        }
    }

    /// What has to be notified, outside the lock, after frames were sent.
    struct Advanced: Sendable {
        var ended: [ServerCall] = []
        var writers: [CheckedContinuation<Void, any Error>] = []

        func merged(with other: Advanced) -> Advanced {
            Advanced(ended: ended + other.ended, writers: writers + other.writers)
        }

        func finish() {
            for writer in writers { writer.resume() }
            for call in ended { call.removed() }
        }
    }

    private func enqueue(_ call: UInt64, _ item: OutboundItem, _ state: inout State) -> Advanced {
        advance([(call, state.table.send(call, item, link))], &state)
    }

    func pump(_ call: UInt64, _ state: inout State) -> Advanced {
        advance([(call, state.table.pump(call, link))], &state)
    }

    func pumpChunks(_ state: inout State) -> Advanced {
        advance(state.table.pumpChunks(link).map { ($0.call, $0.state) }, &state)
    }

    private func advance(
        _ calls: [(call: UInt64, state: OutboundStream.State?)], _ state: inout State
    ) -> Advanced {
        var advanced = Advanced()
        for (call, stream) in calls {
            if case .ended = stream, let owner = state.table.remove(call) { advanced.ended.append(owner) }
            if state.table.waiting(call) ?? 0 == 0 { advanced.writers += Self.takeWriters(call, &state) }
        }
        return advanced
    }

    /// A call that this side stops caring for.
    struct Dropped: Sendable {
        let call: ServerCall
        let writers: [CheckedContinuation<Void, any Error>]

        func drop(_ error: RPCError = RPCError(.cancelled, "the caller is gone", reason: "reader_gone")) {
            call.cancel()
            for writer in writers { writer.resume(throwing: error) }
            call.removed()
        }
    }

    static func remove(_ call: UInt64, _ state: inout State) -> Dropped? {
        state.table.remove(call).map { Dropped(call: $0, writers: takeWriters(call, &state)) }
    }

    static func takeWriters(_ call: UInt64, _ state: inout State) -> [CheckedContinuation<Void, any Error>] {
        state.writers.isEmpty ? [] : state.writers.removeValue(forKey: call) ?? []
    }

    /// Ends a call because of what its client sent.
    func fail(_ call: UInt64, _ error: RPCError) {
        // Its slot is free before the client hears of it, and may call again.
        locked { Self.remove(call, &$0) }?.drop()
        sendEnd(call, error)
    }

    /// `withLock` for bodies with typed errors.
    func locked<Result, E: Error>(_ body: (inout sending State) throws(E) -> sending Result) throws(E) -> sending Result
    {
        try state.withLock { state throws(E) in try body(&state) }
    }
}
