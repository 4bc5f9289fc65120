internal import Messages

/// A whole message, attachments included.
struct InboundMessage: Sendable {
    var content: FrameHeader.Content
    var body: [UInt8]
    var attachments: [Attachment] = []

    var cost: Int { attachments.reduce(body.count) { $0 + $1.count } }
}

/// What one side has received of one call: checks sequence numbers and limits, puts attachments together.
struct InboundStream {
    private var sequence: UInt32
    private var assembling: (message: InboundMessage, index: Int, offset: Int)?
    /// Attachment bytes announced and not yet arrived.
    private(set) var reserved = 0

    init(nextSequence: UInt32 = 0) {
        sequence = nextSequence
    }

    private mutating func checkSequence(_ header: FrameHeader) throws(RPCError) {
        guard header.sequence == sequence else {
            throw RPCError(
                .unavailable,
                "frame \(header.sequence) of call \(header.call) came where \(sequence) was due: "
                    + "frames were lost; call again", reason: "sequence_gap")
        }
        sequence &+= 1
    }

    /// CALL, MESSAGE or END.
    /// - Returns: the message, or `nil` while its attachments are still to come.
    mutating func accept(
        _ header: FrameHeader, _ body: RawSpan, sizes: [Int], budget: Int, limits: BusLimits
    ) throws(RPCError) -> InboundMessage? {
        try checkSequence(header)
        guard assembling == nil else {
            throw .protocolViolation("call \(header.call): a message came before the last one's attachments")
        }
        guard body.byteCount <= limits.messageBytes else {
            throw RPCError(
                .resourceExhausted,
                "a message of \(body.byteCount) bytes; the limit is \(limits.messageBytes): "
                    + "send large data as attachments", reason: "message_too_large")
        }
        try Self.check(sizes, budget: budget, limits: limits)
        var message = InboundMessage(content: header.content, body: [UInt8](copying: body))
        guard !sizes.isEmpty else { return message }
        message.attachments = sizes.map { Attachment(count: $0) }
        let total = sizes.reduce(0, +)
        guard total > 0 else { return message }
        reserved = total
        assembling = (message, sizes.firstIndex { $0 > 0 } ?? 0, 0)
        return nil
    }

    private static func check(_ sizes: [Int], budget: Int, limits: BusLimits) throws(RPCError) {
        guard sizes.count <= limits.attachmentsPerCall else {
            throw RPCError(
                .resourceExhausted, "\(sizes.count) attachments; the limit is \(limits.attachmentsPerCall)",
                reason: "too_many_attachments")
        }
        if let size = sizes.first(where: { $0 > limits.attachmentBytes }) {
            throw RPCError(
                .resourceExhausted, "an attachment of \(size) bytes; the limit is \(limits.attachmentBytes)",
                reason: "attachment_too_large")
        }
        let total = sizes.reduce(0, +)
        guard total <= budget else {
            throw RPCError(
                .resourceExhausted,
                "attachments of \(total) bytes; \(budget) are left for this peer: send fewer at once",
                reason: "attachment_memory", retryAfter: .seconds(1))
        }
    }

    /// The next piece of the attachments under way.
    /// - Returns: the message, if it is whole now.
    mutating func acceptChunk(
        _ header: FrameHeader, attachment: Int, offset: Int, _ body: RawSpan
    ) throws(RPCError) -> InboundMessage? {
        try checkSequence(header)
        guard let (message, startIndex, startDue) = assembling else {
            throw .protocolViolation("call \(header.call): a CHUNK where none was due")
        }
        var (index, due) = (startIndex, startDue)
        let target = message.attachments[index]
        guard attachment == index, offset == due, body.byteCount > 0, body.byteCount <= target.count - due else {
            throw .protocolViolation(
                "call \(header.call): a CHUNK of \(body.byteCount) bytes at \(offset) of attachment \(attachment); "
                    + "due was \(due) of \(index)")
        }
        target.write(body, at: offset)
        reserved -= body.byteCount
        due += body.byteCount
        while index < message.attachments.count, due == message.attachments[index].count {
            index += 1
            due = 0
        }
        guard index == message.attachments.count else {
            assembling = (message, index, due)
            return nil
        }
        assembling = nil
        return message
    }
}
