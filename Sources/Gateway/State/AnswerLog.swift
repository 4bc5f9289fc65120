import Logging
import Messages
import RPC
import StateKeeping

/// Writes an answer down step by step, so that clients follow it in any gateway, and another gateway can end it.
///
/// Steps that come while others are being written go together with the next. Whoever writes has the work's lease: once it
/// is another's, or the work has ended, nothing more is written.
actor AnswerLog {
    private let source: any StateSource
    private let kind: String
    private let id: String
    private let worker: String
    private var written: Int
    private var pending: [[UInt8]] = []
    private var writing: Task<Void, Never>?
    /// Whether the work is another's now, or has ended.
    private(set) var isLost = false
    /// Is called once the log is lost.
    private var onLoss: (@Sendable () -> Void)?

    /// For how long nobody else takes on the work.
    static let lease: Duration = .seconds(4)
    private static let pause: Duration = .milliseconds(250)
    /// Writes that fail in a row before the work is left to others.
    private static let failureLimit = 40

    /// - Parameter entries: that the log has.
    init(_ source: any StateSource, kind: String, id: String, worker: String, entries: Int) {
        (self.source, self.kind, self.id, self.worker, written) = (source, kind, id, worker, entries)
    }

    func whenLost(_ action: @escaping @Sendable () -> Void) {
        if isLost { action() }
        onLoss = action
    }

    func append(_ entry: some BusMessage) {
        guard !isLost else { return }
        pending.append(entry.encoded())
        if writing == nil { writing = Task { await drain() } }
    }

    /// Renews the lease until the task is cancelled.
    func keepLease() async {
        while !Task.isCancelled, !isLost {
            try? await Task.sleep(for: Self.lease / 4)
            if !Task.isCancelled, writing == nil { await write { _ in } }
        }
    }

    private func drain() async {
        while !pending.isEmpty, !isLost {
            let entries = pending
            pending = []
            let first = written
            written += entries.count
            await write { ($0.entries, $0.firstEntry) = (entries, first) }
        }
        writing = nil
    }

    /// Ends the work, when all of the log is written.
    ///
    /// - Returns: whether it was this worker's to end.
    func end(body: [UInt8], outcome: UInt32, expires: Int64) async -> Bool {
        await writing?.value
        await write {
            ($0.body, $0.outcome, $0.expires, $0.isOpen) = (body, outcome, expires, false)
            $0.lease = .zero
        }
        return !isLost
    }

    /// Leaves the work to others, after a while at the earliest.
    func release(for pause: Duration) async {
        await writing?.value
        await write { $0.lease = max(pause, .milliseconds(1)) }
        isLost = true
    }

    private func write(_ fill: (inout Wire.UpdateStateRequest) -> Void) async {
        guard !isLost else { return }
        var request = Wire.UpdateStateRequest(kind: kind, id: id, worker: worker)
        (request.lease, request.requiresOpen) = (Self.lease, true)
        fill(&request)
        for _ in 0..<Self.failureLimit where !isLost {
            do {
                // What is cancelled still says so.
                let update = Task { [request] in try await source.update(request).isMade }
                if try await !update.value { lose() }
                return
            } catch {
                // It is not known whether the change was made: where it was, the log is longer than the next try says.
                try? await Task.sleep(for: Self.pause)
            }
        }
        Logger(label: "nephele-gateway").error("an answer in the background cannot be written down; others may go on")
        lose()
    }

    private func lose() {
        isLost = true
        onLoss?()
        onLoss = nil
    }

    /// - Throws: `APIError` for bytes that no gateway has written.
    static func decode<Message: BusMessage>(_ type: Message.Type, _ bytes: [UInt8]) throws -> Message {
        do { return try Message(decoding: bytes) } catch {
            throw APIError(
                status: .internalServerError, message: "What is kept of the answer cannot be read.",
                type: "server_error", code: "state_unreadable")
        }
    }
}

extension AnswerDelta {
    init(_ part: Wire.AnswerPart) {
        let kind: Part =
            switch part.part {
            case 0: .content
            case 1: .reasoning
            default: .call(Int(part.part) - 2)
            }
        self.init(
            Wire.GenerateDelta(text: part.text, finishReason: part.finishReason), part: kind,
            call: part.callName.map { Call(id: part.callID, name: $0) })
    }

    /// For the log of an answer.
    var logged: Wire.AnswerPart {
        let kind: UInt32 =
            switch part {
            case .content: 0
            case .reasoning: 1
            case .call(let number): UInt32(number) + 2
            }
        return Wire.AnswerPart(
            part: kind, text: self.text, finishReason: self.finishReason, callID: call?.id ?? "", callName: call?.name)
    }
}
