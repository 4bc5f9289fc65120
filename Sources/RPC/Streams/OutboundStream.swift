internal import Messages

/// A message or an end that waits to be sent.
struct OutboundItem: Sendable {
    var content: FrameHeader.Content
    var body: [UInt8]
    var attachments: [Attachment] = []
    /// A newer one takes its place while it waits.
    var isReplaceable = false

    /// What it takes from the receiver's byte window.
    var cost: Int { attachments.reduce(body.count) { $0 + $1.count } }

    /// Frames of this call cannot follow.
    var isEnd: Bool {
        if case .end = content { true } else { false }
    }

    /// Only the messages of a reply need credit: a call or an end comes once.
    var needsCredit: Bool {
        if case .message = content { true } else { false }
    }
}

/// What one side still has to send of one call: keeps the order, the credit and the sequence numbers.
struct OutboundStream {
    enum State {
        /// Everything is sent.
        case idle
        /// Waits for credit.
        case blocked
        /// Attachments are under way: the connection sends them chunk by chunk.
        case chunks
        /// The end is sent.
        case ended
    }

    private struct Chunks {
        let attachments: [Attachment]
        let isLast: Bool
        var index = 0
        var offset = 0

        mutating func skipEmpty() {
            while index < attachments.count, offset == attachments[index].count {
                index += 1
                offset = 0
            }
        }
    }

    private var sequence: UInt32
    private var creditMessages: Int
    private var creditBytes: Int
    private var chunks: Chunks?
    /// The connection's turn-taking knows of `chunks`.
    var isInChunkQueue = false
    private(set) var waiting = FIFO<OutboundItem>()

    /// - Parameter sequence: of the next frame.
    init(sequence: UInt32 = 0, creditMessages: Int, creditBytes: Int) {
        self.sequence = sequence
        self.creditMessages = creditMessages
        self.creditBytes = creditBytes
    }

    mutating func add(credit messages: Int, bytes: Int, limits: BusLimits) {
        creditMessages = min(creditMessages + min(messages, limits.windowMessages), limits.windowMessages * 2)
        creditBytes = min(creditBytes + min(bytes, Int.max / 4), Int.max / 4)
    }

    mutating func enqueue(_ item: OutboundItem) {
        if item.isReplaceable { waiting.removeAll { $0.isReplaceable } }
        waiting.append(item)
    }

    /// Sends what credit allows.
    mutating func pump(_ call: UInt64, _ link: any FrameLink, canWait: Bool) -> State {
        while chunks == nil, let item = waiting.first {
            if item.needsCredit {
                guard creditMessages > 0, creditBytes > 0 else { return .blocked }
                creditMessages -= 1
                creditBytes -= item.cost
            }
            _ = waiting.popFirst()
            link.send(FrameHeader(call: call, sequence: sequence, item.content), .bytes(item.body), canWait: canWait)
            sequence &+= 1
            var pieces = Chunks(attachments: item.attachments, isLast: item.isEnd)
            pieces.skipEmpty()
            if pieces.index < pieces.attachments.count {
                chunks = pieces
            } else if item.isEnd {
                return .ended
            }
        }
        return chunks == nil ? .idle : .chunks
    }

    /// Sends one chunk of the attachments under way.
    /// - Returns: its size, 0 when none are.
    mutating func sendChunk(_ call: UInt64, _ link: any FrameLink, limit: Int) -> (size: Int, ended: Bool) {
        guard var pieces = chunks else { return (0, false) }
        let attachment = pieces.attachments[pieces.index]
        let size = min(limit, attachment.count - pieces.offset)
        link.send(
            FrameHeader(call: call, sequence: sequence, .chunk(attachment: pieces.index, offset: pieces.offset)),
            .attachment(attachment, pieces.offset..<(pieces.offset + size)))
        sequence &+= 1
        pieces.offset += size
        pieces.skipEmpty()
        let isDone = pieces.index == pieces.attachments.count
        chunks = isDone ? nil : pieces
        return (size, isDone && pieces.isLast)
    }
}
