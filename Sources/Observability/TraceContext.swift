/// W3C Trace Context, level 1: `traceparent`, by which the parts of a request in many processes find together.
package struct TraceContext: Sendable, Equatable {
    /// 32 and 16 lower-case hexadecimal digits, not all zero.
    package let traceID: String
    package let parentID: String
    package let isSampled: Bool

    /// A trace that begins here.
    package init() {
        traceID = Self.random(2)
        parentID = Self.random(1)
        isSampled = false
    }

    private init(traceID: String, parentID: String, isSampled: Bool) {
        (self.traceID, self.parentID, self.isSampled) = (traceID, parentID, isSampled)
    }

    /// What a client sent; nil for what is no such header, which then begins a new trace.
    package init?(header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].count == 2, parts[0] != "ff", parts[0] != "00" || parts.count == 4,
            parts[1].count == 32, parts[2].count == 16, parts[3].count == 2, parts[0...3].allSatisfy(Self.isHex),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        (traceID, parentID, isSampled) = (String(parts[1]), String(parts[2]), flags & 1 == 1)
    }

    private static func isHex(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func random(_ words: Int) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(16 * words)
        for _ in 0..<words {
            let word = UInt64.random(in: 1 ... .max)
            for shift in stride(from: 60, through: 0, by: -4) { text.append(digits[Int(word >> UInt64(shift) & 15)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The same trace, with a new span as the parent of what follows.
    package func child() -> TraceContext {
        TraceContext(traceID: traceID, parentID: Self.random(1), isSampled: isSampled)
    }

    package var header: String { "00-\(traceID)-\(parentID)-\(isSampled ? "01" : "00")" }
}
