package import Messages

/// Sends the messages of one reply stream. Usable from any thread or task; keeps the order of calls from one.
package struct ReplyWriter<Message: BusMessage>: Sendable {
    let sink: ReplySink

    /// Sends, and waits until the reader has given credit for all that was written.
    /// - Throws: `RPCError` CANCELLED, when the caller has stopped reading; RESOURCE_EXHAUSTED for one beyond the limits.
    package func write(_ message: Message, attachments: [Attachment] = []) async throws {
        try sink.send(message.encoded(), attachments)
        try await sink.drained()
    }

    /// Sends without ever waiting: what the reader has no credit for is kept, `bound` messages at most.
    /// - Throws: `RPCError` CANCELLED, when the caller has stopped reading; RESOURCE_EXHAUSTED, when `bound` messages wait.
    package func offer(_ message: Message, attachments: [Attachment] = [], bound: Int) throws {
        try sink.send(message.encoded(), attachments, bound: bound)
    }

    /// Sends without ever waiting; one that still waits for credit is replaced by the next such one (previews).
    /// - Throws: `RPCError` CANCELLED, when the caller has stopped reading.
    package func offerLatest(_ message: Message, attachments: [Attachment] = []) throws {
        try sink.send(message.encoded(), attachments, isReplaceable: true)
    }

    /// Messages that wait for the reader.
    package var waiting: Int { sink.waiting }
}

/// The way from a handler to its call's connection.
struct ReplySink: Sendable {
    let call: ServerCall
    let connection: ServerConnection

    func send(
        _ body: [UInt8], _ attachments: [Attachment], bound: Int = .max, isReplaceable: Bool = false
    ) throws {
        try connection.limits.check(body, attachments)
        let item = OutboundItem(
            content: .message(attachmentSizes: attachments.map(\.count)), body: body, attachments: attachments,
            isReplaceable: isReplaceable)
        try connection.send(call.id, item, bound: bound)
    }

    func drained() async throws {
        try await connection.drained(call.id)
    }

    var waiting: Int { connection.waiting(call.id) }
}

extension BusLimits {
    /// - Throws: `RPCError` RESOURCE_EXHAUSTED for what the peer would refuse.
    func check(_ body: [UInt8], _ attachments: [Attachment]) throws(RPCError) {
        guard body.count <= messageBytes else {
            throw RPCError(
                .resourceExhausted,
                "a message of \(body.count) bytes; the limit is \(messageBytes): "
                    + "send large data as attachments", reason: "message_too_large")
        }
        guard attachments.count <= attachmentsPerCall else {
            throw RPCError(
                .resourceExhausted, "\(attachments.count) attachments; the limit is \(attachmentsPerCall)",
                reason: "too_many_attachments")
        }
        guard let large = attachments.first(where: { $0.count > attachmentBytes }) else { return }
        throw RPCError(
            .resourceExhausted, "an attachment of \(large.count) bytes; the limit is \(attachmentBytes)",
            reason: "attachment_too_large")
    }
}
