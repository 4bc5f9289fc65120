package import Foundation

/// Splits a response into the payloads of its server-sent events (WHATWG HTML, «Server-sent events»), whatever chunks
/// it comes in. Comments and fields other than `data` are passed over.
package struct ServerSentEvents: Sendable {
    private var line = Data()
    private var payload: [Data] = []
    private var endedWithReturn = false

    package init() {}

    /// The events that these bytes complete.
    package mutating func append(_ bytes: Data) -> [Data] {
        var events: [Data] = []
        for byte in bytes {
            // A line ends with \n, \r or \r\n.
            if byte == UInt8(ascii: "\n") && endedWithReturn {
                endedWithReturn = false
            } else if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                endedWithReturn = byte == UInt8(ascii: "\r")
                if let event = endLine() { events.append(event) }
            } else {
                endedWithReturn = false
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> Data? {
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty {
            defer { payload.removeAll() }
            return payload.isEmpty ? nil : Data(payload.joined(separator: [UInt8(ascii: "\n")]))
        }
        let field = Data("data:".utf8)
        guard line.starts(with: field) else { return nil }
        var value = line.dropFirst(field.count)
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        payload.append(Data(value))
        return nil
    }
}
