internal import Concurrency
internal import Messages

/// The calls of one connection, either side: their streams, the chunks that take turns, deadlines.
struct CallTable<Owner> {
    struct Entry {
        var owner: Owner
        var outbound: OutboundStream
        var inbound: InboundStream
        var deadline: MonotonicInstant?
    }

    private var entries: [UInt64: Entry] = [:]
    private var chunkQueue = FIFO<UInt64>()
    private var chunkWindow: Int
    private var chunkBytesUnacknowledged = 0
    /// No deadline passes before this.
    private(set) var nextDeadline: MonotonicInstant?
    private let limits: BusLimits

    init(limits: BusLimits) {
        self.limits = limits
        chunkWindow = limits.chunkWindowBytes
    }

    var count: Int { entries.count }
    /// With this many calls under way, throughput counts more than the latency of one: frames travel together.
    var isBusy: Bool { entries.count > 2 }
    var ids: [UInt64] { Array(entries.keys) }

    func owner(_ call: UInt64) -> Owner? { entries[call]?.owner }

    mutating func insert(_ call: UInt64, _ entry: Entry) {
        entries[call] = entry
        if let deadline = entry.deadline { nextDeadline = min(deadline, nextDeadline ?? deadline) }
    }

    @discardableResult
    mutating func remove(_ call: UInt64) -> Owner? {
        entries.removeValue(forKey: call)?.owner
    }

    mutating func removeAll() -> [Owner] {
        defer { entries = [:] }
        return entries.values.map(\.owner)
    }

    /// Removes the calls whose deadline has passed.
    mutating func expire(_ now: MonotonicInstant) -> [(call: UInt64, owner: Owner)] {
        guard let nextDeadline, nextDeadline <= now else { return [] }
        var expired: [(call: UInt64, owner: Owner)] = []
        var next: MonotonicInstant?
        for (call, entry) in entries {
            guard let deadline = entry.deadline else { continue }
            if deadline <= now {
                expired.append((call, entry.owner))
            } else {
                next = min(deadline, next ?? deadline)
            }
        }
        for (call, _) in expired { entries.removeValue(forKey: call) }
        self.nextDeadline = next
        return expired
    }

    // MARK: Sending

    /// How many items of the call wait to be sent; `nil` when the call is gone.
    func waiting(_ call: UInt64) -> Int? { entries[call]?.outbound.waiting.count }

    /// Queues an item and sends what may be sent now.
    /// - Returns: `nil` when the call is gone.
    mutating func send(_ call: UInt64, _ item: OutboundItem, _ link: any FrameLink) -> OutboundStream.State? {
        entries[call]?.outbound.enqueue(item)
        return pump(call, link)
    }

    mutating func pump(_ call: UInt64, _ link: any FrameLink) -> OutboundStream.State? {
        let isBusy = isBusy
        guard let state = entries[call]?.outbound.pump(call, link, canWait: isBusy) else { return nil }
        if case .chunks = state { queueChunks(call) }
        return state
    }

    private mutating func queueChunks(_ call: UInt64) {
        guard entries[call]?.outbound.isInChunkQueue == false else { return }
        entries[call]?.outbound.isInChunkQueue = true
        chunkQueue.append(call)
    }

    mutating func addCredit(_ call: UInt64, messages: Int, bytes: Int) {
        let limits = limits
        entries[call]?.outbound.add(credit: messages, bytes: bytes, limits: limits)
    }

    mutating func addChunkCredit(_ bytes: Int) {
        chunkWindow = min(chunkWindow + min(bytes, limits.chunkWindowBytes), limits.chunkWindowBytes)
    }

    /// Sends chunks, one of each call in turn, as far as the window goes.
    /// - Returns: calls whose state changed: all their chunks are sent.
    mutating func pumpChunks(_ link: any FrameLink) -> [(call: UInt64, state: OutboundStream.State)] {
        var finished: [(call: UInt64, state: OutboundStream.State)] = []
        while chunkWindow > 0, let call = chunkQueue.popFirst() {
            entries[call]?.outbound.isInChunkQueue = false
            let limit = min(limits.chunkBytes, chunkWindow)
            guard let sent = entries[call]?.outbound.sendChunk(call, link, limit: limit) else { continue }
            chunkWindow -= sent.size
            if sent.ended {
                finished.append((call, .ended))
            } else if let state = entries[call]?.outbound.pump(call, link, canWait: true) {
                if case .chunks = state {
                    queueChunks(call)
                } else {
                    finished.append((call, state))
                }
            }
        }
        return finished
    }

    // MARK: Receiving

    /// Attachment bytes announced by the peer and not yet here.
    private var reserved: Int { entries.values.reduce(0) { $0 + $1.inbound.reserved } }

    /// What the peer's next message may announce in attachments.
    func attachmentBudget(for sizes: [Int]) -> Int {
        sizes.isEmpty ? 0 : limits.inboundAttachmentBytes - reserved
    }

    /// - Returns: the whole message, if it is; `nil` for an unknown call too.
    mutating func accept(
        _ header: FrameHeader, _ body: RawSpan, sizes: [Int]
    ) throws(RPCError) -> InboundMessage? {
        let budget = attachmentBudget(for: sizes)
        let limits = limits
        return try entries[header.call]?.inbound.accept(header, body, sizes: sizes, budget: budget, limits: limits)
            ?? nil
    }

    /// The last message of a call, when all of it is in this frame: takes the call out of the table.
    mutating func acceptLast(
        _ header: FrameHeader, _ body: RawSpan
    ) throws(RPCError) -> (owner: Owner, message: InboundMessage)? {
        guard var entry = entries.removeValue(forKey: header.call) else { return nil }
        do throws(RPCError) {
            guard
                let message = try entry.inbound.accept(header, body, sizes: [], budget: 0, limits: limits)
            else { preconditionFailure("a message without attachments is whole") }
            return (entry.owner, message)
        } catch {
            entries[header.call] = entry
            throw error
        }
    }

    mutating func acceptChunk(
        _ header: FrameHeader, attachment: Int, offset: Int, _ body: RawSpan
    ) throws(RPCError) -> InboundMessage? {
        try entries[header.call]?.inbound.acceptChunk(header, attachment: attachment, offset: offset, body) ?? nil
    }

    /// Counts chunk bytes, those of calls already gone too.
    /// - Returns: the credit to send for them, when it is worth a frame.
    mutating func chunkCredit(_ bytes: Int) -> Int? {
        chunkBytesUnacknowledged += bytes
        guard chunkBytesUnacknowledged * 4 >= limits.chunkWindowBytes else { return nil }
        defer { chunkBytesUnacknowledged = 0 }
        return chunkBytesUnacknowledged
    }
}
