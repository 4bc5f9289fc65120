/// A header that is sent again and again, encoded once: only the call's number, the sequence and the time left change.
///
/// Protobuf lets fields come in any order; of a number that comes twice the last one counts, and messages are merged.
/// So what changes follows what stays, the stem; `HeaderDecoder` looks for it.
package struct HeaderTemplate: Sendable {
    let stem: [UInt8]

    package init(_ content: FrameHeader.Content) {
        stem = FrameHeader(content).encoded()
    }

    /// - Parameter timeout: of a CALL.
    package func header(call: UInt64, sequence: UInt32 = 0, timeout: Duration? = nil) -> [UInt8] {
        var header: [UInt8] = []
        header.reserveCapacity(stem.count + 32)
        header.append(contentsOf: stem)
        header.append(FrameHeader.Tag.call)
        Self.append(call, to: &header)
        if sequence != 0 {
            header.append(FrameHeader.Tag.sequence)
            Self.append(UInt64(sequence), to: &header)
        }
        guard let timeout else { return header }
        header.append(FrameHeader.Tag.start)
        let size = header.count
        header.append(0)
        header.append(CallStart.Tag.timeoutUs)
        Self.append(timeout.microseconds, to: &header)
        header[size] = UInt8(header.count - size - 1)
        return header
    }

    /// As a base-128 varint, at most ten bytes.
    private static func append(_ value: UInt64, to header: inout [UInt8]) {
        var value = value
        while value > 0x7F {
            header.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        header.append(UInt8(value))
    }

    // MARK: Reading

    /// What changes from header to header.
    struct Variables {
        var call: UInt64
        var sequence: UInt32 = 0
        /// In microseconds.
        var timeout: UInt64?
    }

    /// - Returns: what follows the stem, or `nil` where it is not what `header` writes.
    static func variables(of header: UnsafeRawBufferPointer, after stem: Int) -> Variables? {
        var rest = header[stem...]
        guard take(FrameHeader.Tag.call, &rest), let number = varint(&rest) else { return nil }
        var variables = Variables(call: number)
        if take(FrameHeader.Tag.sequence, &rest) {
            guard let value = varint(&rest), let sequence = UInt32(exactly: value) else { return nil }
            variables.sequence = sequence
        }
        if take(FrameHeader.Tag.start, &rest) {
            guard let size = rest.popFirst(), Int(size) == rest.count, take(CallStart.Tag.timeoutUs, &rest),
                let value = varint(&rest)
            else { return nil }
            variables.timeout = value
        }
        return rest.isEmpty ? variables : nil
    }

    private static func take(_ tag: UInt8, _ rest: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        guard rest.first == tag else { return false }
        rest.removeFirst()
        return true
    }

    private static func varint(_ rest: inout Slice<UnsafeRawBufferPointer>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        // The tenth byte holds one bit.
        guard let byte = rest.popFirst(), byte <= 1 else { return nil }
        return value | UInt64(byte) << 63
    }
}

extension FrameHeader {
    private static let message = HeaderTemplate(.message(attachmentSizes: []))
    private static let end = HeaderTemplate(.end(CallEnd(code: 0)))
    private static let endWithMessage = {
        var end = CallEnd(code: 0)
        end.hasMessage = true
        return HeaderTemplate(.end(end))
    }()

    /// The same, through a template where most headers are alike.
    package func encodedFromTemplate() -> [UInt8] {
        switch content {
        case .message(let sizes) where sizes.isEmpty: Self.message.header(call: call, sequence: sequence)
        case .end(let end) where end.isPlain:
            (end.hasMessage ? Self.endWithMessage : Self.end).header(call: call, sequence: sequence)
        default: encoded()
        }
    }
}
