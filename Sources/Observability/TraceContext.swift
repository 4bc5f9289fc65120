import Synchronization

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

    /// Where this process's sequence of identifiers stands.
    private static let sequence = Atomic<UInt64>(.random(in: 0 ... .max))

    /// SplitMix64 (Steele, Lea and Flood, 2014): identifiers have to differ, and are no secrets, so they are not worth a
    /// system call each.
    private static func nextWord() -> UInt64 {
        while true {
            var word = sequence.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            word ^= word >> 31
            // No identifier may consist of zeros alone.
            if word != 0 { return word }
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func random(_ words: Int) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(16 * words)
        for _ in 0..<words {
            let word = nextWord()
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
