/// The text before a match, on its line: what a number is called there says what it is.
///
/// Bytes from the last line break on, `limit` at most, in lower case. A stream keeps that much before whatever may still
/// begin, so that what is seen here does not depend on the pieces that a text comes in.
struct PrecedingText: Sendable {
    static let limit = 48

    /// Words of one meaning. Latin ones stand as words, perhaps in the plural; Chinese ones stand anywhere.
    struct Words: Sendable {
        fileprivate let all: [[UInt8]]

        init(_ words: String) { all = words.split(separator: " ").map { Array($0.utf8) } }
    }

    /// What may stand between a number's name and the number.
    private static let fillers =
        ["number", "num", "the", "was", "no", "nr", "id", "is", "号码", "编号", "号", "是", "为", "码"].map { Array($0.utf8) }

    let bytes: [UInt8]

    /// - Parameter text: folded; its end is where the match begins.
    init(_ text: ArraySlice<UInt8>) {
        let line = text.suffix(Self.limit).split(separator: 0x0A, omittingEmptySubsequences: false).last ?? []
        bytes = line.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }
    }

    /// Whether one of `words` is the nearest of both kinds.
    func names(_ words: Words, ratherThan others: Words? = nil) -> Bool {
        guard let end = lastEnd(of: words) else { return false }
        return end > others.flatMap { lastEnd(of: $0) } ?? -1
    }

    /// Whether one of `words` is what the match is called: nothing but "no.", signs and the like stands between.
    func calls(_ words: Words) -> Bool {
        guard let end = lastEnd(of: words) else { return false }
        var rest = bytes[end...].filter { Self.isLetter($0) || Self.isDigit($0) }[...]
        while let filler = Self.fillers.first(where: { rest.starts(with: $0) }) { rest = rest.dropFirst(filler.count) }
        return rest.isEmpty
    }

    /// Whether the match goes on an identifier, as in `backup_4111`.
    var isIdentifier: Bool {
        let name = bytes.reversed().drop { $0 == 0x5F }
        return name.count < bytes.count
            && name.first.map { $0 < 0x80 && (Self.isLetter($0) || Self.isDigit($0)) } ?? false
    }

    /// Whether the match is a part of a URL's path.
    var isPath: Bool {
        let word = bytes.suffix { $0 != 0x20 }
        return word.last == 0x2F && word.contains(subsequence: "://")
    }

    func hasSuffix(_ text: String) -> Bool { bytes.suffix(text.utf8.count).elementsEqual(text.utf8) }

    private func lastEnd(of words: Words) -> Int? { words.all.compactMap(lastEnd).max() }

    private func lastEnd(of word: [UInt8]) -> Int? {
        guard let first = word.first, word.count <= bytes.count else { return nil }
        let isLatin = first < 0x80
        var start = bytes.count - word.count
        while start >= 0 {
            defer { start -= 1 }
            guard bytes[start] == first, bytes[start..<start + word.count].elementsEqual(word) else { continue }
            var end = start + word.count
            guard isLatin else { return end }
            if start > 0, Self.isLetter(bytes[start - 1]), bytes[start - 1] < 0x80 { continue }
            if end < bytes.count, bytes[end] == 0x73 { end += 1 }
            if end == bytes.count || !Self.isLetter(bytes[end]) || bytes[end] >= 0x80 { return end }
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { byte >= 0x80 || (0x61...0x7A).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

extension Array<UInt8> {
    fileprivate func suffix(while isIn: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        self[(lastIndex { !isIn($0) }.map { $0 + 1 } ?? 0)...]
    }
}

extension ArraySlice<UInt8> {
    fileprivate func contains(subsequence text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard count >= wanted.count else { return false }
        return (startIndex...endIndex - wanted.count).contains { self[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }
}
