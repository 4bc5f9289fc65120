/// Decodes tokens as they come, and never emits half a character: bytes wait until their character is complete.
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// Special tokens that are not skipped.
    private let shown: Set<Int32>
    private let collapsesRepeats: Bool
    private var pending: [UInt8] = []
    private var last: Int32?
    private var steps: [StreamedStep]

    package init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true, showing shown: Set<Int32> = []) {
        (self.tokenizer, self.shown) = (tokenizer, shown)
        skipsSpecialTokens = skipSpecialTokens
        collapsesRepeats = tokenizer.decoder.collapsesRepeats
        steps = tokenizer.decoder.streamed
    }

    /// Takes a token and returns the whole characters that are complete now. An id without a token adds nothing.
    package mutating func append(_ id: Int32) -> String {
        if skipsSpecialTokens, tokenizer.isSpecial(id), !shown.contains(id) { return "" }
        if collapsesRepeats, id == last { return "" }
        last = id
        pending.append(contentsOf: tokenizer.bytes(of: id) ?? [])
        let end = pending.count - Self.incompleteSuffix(pending)
        defer { pending.removeFirst(end) }
        return changed(String(decoding: pending[..<end], as: UTF8.self), isLast: false)
    }

    /// Whether no byte waits for the rest of its character.
    package var isWhole: Bool { pending.isEmpty }

    /// What is left at the end: an unfinished character becomes U+FFFD.
    package mutating func finish() -> String {
        defer { pending = [] }
        return changed(String(decoding: pending, as: UTF8.self), isLast: true)
    }

    private mutating func changed(_ text: String, isLast: Bool) -> String {
        if steps.isEmpty { return text }
        var bytes = Array(text.utf8)
        for index in steps.indices { bytes = steps[index].append(bytes, isLast: isLast) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// How many bytes at the end may still become a character.
    static func incompleteSuffix(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
            return lead <= 0xF4 && needed > length ? length : 0
        }
        return 0
    }
}
