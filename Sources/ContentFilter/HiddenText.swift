/// Text in characters that nobody sees: Unicode's tags spell ASCII, variation selectors spell bytes. Models read it.
struct HiddenText: Sendable {
    /// One run of such characters.
    struct Run: Sendable {
        /// In the original.
        var range: Range<Int>
        var bytes: [UInt8]
    }

    /// Runs that have ended and were not yet looked at.
    private(set) var ended: [Run] = []
    private var open: Run?

    /// Where the run that goes on began.
    var start: Int? { open?.range.lowerBound }

    /// - Returns: whether the character hides something.
    mutating func take(_ point: UInt32, at origin: Int) -> Bool {
        let byte: UInt8
        switch point {
        case 0xE0020...0xE007E: byte = UInt8(point - 0xE0000)
        case 0xFE00...0xFE0F: byte = UInt8(point - 0xFE00)
        case 0xE0100...0xE01EF: byte = UInt8(point - 0xE0100 + 16)
        default: return false
        }
        let length = point > 0xFFFF ? 4 : 3
        if var run = open, run.bytes.count < EncodedText.limit {
            run.bytes.append(byte)
            run.range = run.range.lowerBound..<origin + length
            open = run
        } else {
            finish()
            open = Run(range: origin..<origin + length, bytes: [byte])
        }
        return true
    }

    mutating func finish() {
        guard let run = open else { return }
        open = nil
        // A variation selector behind an emoji is no message.
        if run.bytes.count >= 4 { ended.append(run) }
    }

    mutating func takeEnded() -> [Run] {
        guard !ended.isEmpty else { return [] }
        defer { ended = [] }
        return ended
    }
}
