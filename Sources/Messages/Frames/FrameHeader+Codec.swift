internal import CMessages

extension FrameHeader: CCodable {
    /// The numbers of `FrameHeader.type`.
    private enum Kind: UInt32 {
        case call = 1
        case message, chunk, end, cancel, credit, ping, pong, goAway
    }

    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__FrameHeader>) { nephele__v1__frame_header__init(c) }

    init(reading c: Nephele__V1__FrameHeader) throws {
        guard c.version == Self.version else {
            throw MessageError(message: "frame version \(c.version), expected \(Self.version): update the older side")
        }
        guard let kind = Kind(rawValue: c.type) else {
            throw MessageError(message: "frame type \(c.type) is unknown: update the older side")
        }
        call = c.call
        sequence = c.sequence
        switch kind {
        case .call:
            guard let start = c.start else { throw MessageError(message: "a CALL frame without start") }
            content = .call(try CallStart(reading: start.pointee, frame: c))
        case .message: content = .message(attachmentSizes: try Self.attachmentSizes(c))
        case .chunk:
            content = .chunk(
                attachment: Int(c.chunk_attachment), offset: try Int(wire: c.chunk_offset, "chunk_offset"))
        case .end:
            guard let end = c.end else { throw MessageError(message: "an END frame without end") }
            var value = try CallEnd(reading: end.pointee)
            value.attachmentSizes = try Self.attachmentSizes(c)
            content = .end(value)
        case .cancel: content = .cancel(reason: try c.reason.text("reason"))
        case .credit:
            content = .credit(messages: Int(c.credit_messages), bytes: try Int(wire: c.credit_bytes, "credit_bytes"))
        case .ping: content = .ping(c.ping)
        case .pong:
            guard let load = c.load else { throw MessageError(message: "a PONG frame without load") }
            content = .pong(c.ping, try LoadReport(reading: load.pointee))
        case .goAway: content = .goAway(reason: try c.reason.text("reason"))
        }
    }

    fileprivate static func attachmentSizes(_ c: Nephele__V1__FrameHeader) throws -> [Int] {
        guard c.n_attachment_sizes > 0 else { return [] }
        return try readAll(c.attachment_sizes, c.n_attachment_sizes).map { try Int(wire: $0, "attachment_sizes") }
    }

    func write(to c: inout Nephele__V1__FrameHeader, in arena: inout Arena) {
        c.has_version = 1
        c.version = Self.version
        c.has_type = 1
        c.has_call = 1
        c.call = call
        if sequence != 0 {
            c.has_sequence = 1
            c.sequence = sequence
        }
        switch content {
        case .call(let start):
            c.type = Kind.call.rawValue
            c.start = arena.message(start)
            write(start.attachmentSizes, to: &c, in: &arena)
            write(creditMessages: start.creditMessages, bytes: start.creditBytes, to: &c)
        case .message(let sizes):
            c.type = Kind.message.rawValue
            write(sizes, to: &c, in: &arena)
        case .chunk(let attachment, let offset):
            c.type = Kind.chunk.rawValue
            c.has_chunk_attachment = 1
            c.chunk_attachment = UInt32(attachment.wire)
            c.has_chunk_offset = 1
            c.chunk_offset = offset.wire
        case .end(let end):
            c.type = Kind.end.rawValue
            c.end = arena.message(end)
            write(end.attachmentSizes, to: &c, in: &arena)
        case .cancel(let reason):
            c.type = Kind.cancel.rawValue
            c.has_reason = 1
            c.reason = arena.text(reason)
        case .credit(let messages, let bytes):
            c.type = Kind.credit.rawValue
            write(creditMessages: messages, bytes: bytes, to: &c)
        case .ping(let token):
            c.type = Kind.ping.rawValue
            c.has_ping = 1
            c.ping = token
        case .pong(let token, let load):
            c.type = Kind.pong.rawValue
            c.has_ping = 1
            c.ping = token
            c.load = arena.message(load)
        case .goAway(let reason):
            c.type = Kind.goAway.rawValue
            c.has_reason = 1
            c.reason = arena.text(reason)
        }
    }

    private func write(_ sizes: [Int], to c: inout Nephele__V1__FrameHeader, in arena: inout Arena) {
        guard !sizes.isEmpty else { return }
        c.n_attachment_sizes = sizes.count
        c.attachment_sizes = arena.numbers(sizes.map(\.wire))
    }

    private func write(creditMessages: Int, bytes: Int, to c: inout Nephele__V1__FrameHeader) {
        c.has_credit_messages = 1
        c.credit_messages = UInt32(clamping: creditMessages)
        c.has_credit_bytes = 1
        c.credit_bytes = bytes.wire
    }
}

extension CallStart: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__CallStart>) { nephele__v1__call_start__init(c) }

    init(reading c: Nephele__V1__CallStart) throws {
        method = try c.method.text("method")
        timeout = c.has_timeout_us != 0 ? Duration(wireMicroseconds: c.timeout_us) : nil
        if c.n_metadata > 0 {
            metadata = Metadata(entries: try readAll(Metadata.Entry.self, c.metadata, c.n_metadata))
        }
        instanceID = c.has_instance_id != 0 ? try c.instance_id.text("instance_id") : nil
        numericsID = c.has_numerics_id != 0 ? try c.numerics_id.text("numerics_id") : nil
        creditMessages = 0
        creditBytes = 0
    }

    /// Attachments and credit stand in the frame's own header.
    fileprivate init(reading c: Nephele__V1__CallStart, frame: Nephele__V1__FrameHeader) throws {
        try self.init(reading: c)
        attachmentSizes = try FrameHeader.attachmentSizes(frame)
        creditMessages = Int(frame.credit_messages)
        creditBytes = try Int(wire: frame.credit_bytes, "credit_bytes")
    }

    func write(to c: inout Nephele__V1__CallStart, in arena: inout Arena) {
        c.has_method = 1
        c.method = arena.text(method)
        if let timeout {
            c.has_timeout_us = 1
            c.timeout_us = timeout.microseconds
        }
        if !metadata.entries.isEmpty {
            c.n_metadata = metadata.entries.count
            c.metadata = arena.messages(metadata.entries)
        }
        if let instanceID {
            c.has_instance_id = 1
            c.instance_id = arena.text(instanceID)
        }
        if let numericsID {
            c.has_numerics_id = 1
            c.numerics_id = arena.text(numericsID)
        }
    }
}

extension CallEnd: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__CallEnd>) { nephele__v1__call_end__init(c) }

    init(reading c: Nephele__V1__CallEnd) throws {
        code = c.code
        message = try c.message.text("message")
        reason = try c.reason.text("reason")
        field = try c.field.text("field")
        retryAfter = c.has_retry_after_ms != 0 ? Duration(wireMilliseconds: c.retry_after_ms) : nil
        notStarted = c.not_started != 0
        hasMessage = c.with_body != 0
    }

    func write(to c: inout Nephele__V1__CallEnd, in arena: inout Arena) {
        c.has_code = 1
        c.code = code
        if !message.isEmpty {
            c.has_message = 1
            c.message = arena.text(message)
        }
        if !reason.isEmpty {
            c.has_reason = 1
            c.reason = arena.text(reason)
        }
        if !field.isEmpty {
            c.has_field = 1
            c.field = arena.text(field)
        }
        if let retryAfter {
            c.has_retry_after_ms = 1
            c.retry_after_ms = retryAfter.milliseconds
        }
        c.has_not_started = notStarted ? 1 : 0
        c.not_started = notStarted ? 1 : 0
        c.has_with_body = hasMessage ? 1 : 0
        c.with_body = hasMessage ? 1 : 0
    }
}
