/// A header that is sent again and again, encoded once: only the call's number and its time left change.
///
/// Protobuf lets fields come in any order; of a number that comes twice the last one counts, and messages are merged.
package struct HeaderTemplate: Sendable {
    private let encoded: [UInt8]

    // Tags of bus.proto: FrameHeader.call, FrameHeader.start, CallStart.timeout_us.
    private static let call: UInt8 = 3 << 3
    private static let start: UInt8 = 5 << 3 | 2
    private static let timeout: UInt8 = 2 << 3

    package init(_ content: FrameHeader.Content) {
        encoded = FrameHeader(content).encoded()
    }

    /// - Parameter timeout: of a CALL.
    package func header(call: UInt64, timeout: Duration? = nil) -> [UInt8] {
        var header: [UInt8] = []
        header.reserveCapacity(encoded.count + 24)
        header.append(contentsOf: encoded)
        header.append(Self.call)
        Self.append(call, to: &header)
        guard let timeout else { return header }
        header.append(Self.start)
        let size = header.count
        header.append(0)
        header.append(Self.timeout)
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
}
