/// Where matches may begin, told from the character before and the first four: one look at a text for all patterns, so
/// that PCRE2 is asked about few places.
///
/// The tables are PCRE2's own word: pattern by pattern it is asked whether what begins with these characters could become
/// a match. They say too much, never too little.
struct PatternOpenings: Sendable {
    /// Patterns, by bit; those beyond the last share it.
    typealias Mask = UInt64

    private static let width = 64
    private static let beyondASCII = 0
    private static let edge = 63
    /// Where there are more beginnings of one to three bytes than this, longer ones are not asked for.
    private static let beginningLimits = [0, 256, 1_024, 128]
    private static let hanRange: Range<UInt32> = 0x3400..<0xA000

    private let classes: [UInt8]
    /// By the classes of a byte and the next: the byte before a match and its first, its first and second, and so on.
    private var pairs = [[Mask]](repeating: [Mask](repeating: 0, count: Self.width * Self.width), count: 4)
    /// By the first character of a match, a place in `hanMasks`.
    private var han = [UInt8](repeating: 0, count: Self.hanRange.count)
    private var hanMasks: [Mask] = [0]
    /// Patterns that may begin with other characters beyond ASCII.
    private var other: Mask = 0

    static func bit(_ pattern: Int) -> Mask { 1 << Mask(min(pattern, Mask.bitWidth - 1)) }

    init(_ patterns: [PatternDetector]) {
        var classes = [UInt8](repeating: 1, count: 256)
        for byte in 0x80...0xFF { classes[byte] = UInt8(Self.beyondASCII) }
        var next: UInt8 = 2
        for byte in Array("abcdefghijklmnopqrstuvwxyz0123456789 \n!$'\"()+,-./:<@[_|".utf8) {
            classes[Int(byte)] = next
            if byte >= 97 { classes[Int(byte) - 32] = next }
            next += 1
        }
        self.classes = classes
        for (index, pattern) in patterns.enumerated() where pattern.hinge == nil { add(pattern, Self.bit(index)) }
    }

    // MARK: Asking

    private mutating func add(_ pattern: PatternDetector, _ bit: Mask) {
        addBeyondASCII(pattern, bit)
        guard let opening = pattern.opening else {
            // Nothing is known but the first byte.
            for byte in UInt8(0)..<0x80 where pattern.starts?.contains(byte) ?? true {
                for before in 0..<Self.width { allow(0, before, Int(classes[Int(byte)]), bit) }
            }
            for level in 1..<4 { allowAll(level, bit) }
            return
        }
        // Capitals are of the class of their small letters.
        let ignoresCase = pattern.source.hasPrefix("(?i)")
        let ascii = (UInt8(0)..<0x80).filter { !ignoresCase || !(65...90).contains($0) }
        let befores: [[UInt8]] = [[]] + ascii.map { [$0] } + ["é", "中", "。"].map { Array($0.utf8) }
        var beginnings: [(text: [UInt8], start: Int)] = []
        for byte in ascii where pattern.starts?.contains(byte) ?? true {
            let letting = befores.filter { opening.mayMatch(in: $0 + [byte], at: $0.count) }
            for before in letting {
                allow(0, before.first.map { Int(classes[Int($0)]) } ?? Self.edge, Int(classes[Int(byte)]), bit)
            }
            // At the edge of a word and within one may make a difference.
            let isWord = { (before: [UInt8]) in before.last.map { $0 > 0x2F } ?? false }
            for before in [letting.first { !isWord($0) }, letting.first(where: isWord)].compactMap({ $0 }) {
                beginnings.append((before + [byte], before.count))
            }
        }
        for level in 1..<4 {
            guard beginnings.count <= Self.beginningLimits[level] else {
                allowAll(level, bit)
                continue
            }
            for kind in 0..<Self.width {
                allow(level, Self.beyondASCII, kind, bit)
                allow(level, kind, Self.beyondASCII, bit)
            }
            beginnings = beginnings.flatMap { beginning in
                ascii.compactMap { byte in
                    let text = beginning.text + [byte]
                    guard opening.mayMatch(in: text, at: beginning.start) else { return nil }
                    allow(level, Int(classes[Int(text[text.count - 2])]), Int(classes[Int(byte)]), bit)
                    return (text, beginning.start)
                }
            }
        }
    }

    private mutating func addBeyondASCII(_ pattern: PatternDetector, _ bit: Mask) {
        guard pattern.starts.map({ starts in (0x80...0xFF).contains { starts.contains($0) } }) ?? true else { return }
        let samples = "䶵é。жя한あ😀١ก\u{a0}α".filter { !pattern.source.contains($0) }
        if let opening = pattern.opening,
            !samples.contains(where: { opening.mayMatch(in: Array(String($0).utf8), at: 0) })
        {
            // No class of characters: only what the pattern spells out.
            for scalar in Set(pattern.source.unicodeScalars) where !scalar.isASCII {
                guard opening.mayMatch(in: Array(String(Character(scalar)).utf8), at: 0) else { continue }
                if Self.hanRange.contains(scalar.value) { allow(han: scalar.value, bit) } else { other |= bit }
            }
            return
        }
        other |= bit
        for place in hanMasks.indices.dropFirst() { hanMasks[place] |= bit }
        hanMasks[0] |= bit
    }

    private mutating func allow(_ level: Int, _ first: Int, _ second: Int, _ bit: Mask) {
        pairs[level][first * Self.width + second] |= bit
    }

    private mutating func allowAll(_ level: Int, _ bit: Mask) {
        for index in pairs[level].indices { pairs[level][index] |= bit }
    }

    private mutating func allow(han point: UInt32, _ bit: Mask) {
        let index = Int(point - Self.hanRange.lowerBound)
        let mask = hanMasks[Int(han[index])] | bit
        if let place = hanMasks.firstIndex(of: mask) {
            han[index] = UInt8(place)
        } else if hanMasks.count < 256 {
            han[index] = UInt8(hanMasks.count)
            hanMasks.append(mask)
        } else {
            other |= bit
            for place in hanMasks.indices { hanMasks[place] |= bit }
        }
    }

    // MARK: Looking

    /// What may begin at a place.
    struct Look {
        var patterns: Mask
        /// Whether more text could still rule it out.
        var isOpen: Bool
    }

    /// - Parameter index: where a character begins.
    func look(_ bytes: [UInt8], at index: Int, of wanted: Mask, isWhole: Bool) -> Look {
        let kind = Int(classes[Int(bytes[index])])
        guard kind != Self.beyondASCII else {
            return Look(patterns: beyondASCII(bytes, at: index) & wanted, isOpen: false)
        }
        var last = kind
        let before = index > 0 ? Int(classes[Int(bytes[index &- 1])]) : Self.edge
        var mask = pairs[0][before &* Self.width &+ kind] & wanted
        var level = 1
        while mask != 0, level < 4 {
            guard index &+ level < bytes.count else { return Look(patterns: mask, isOpen: !isWhole) }
            let next = Int(classes[Int(bytes[index &+ level])])
            mask &= pairs[level][last &* Self.width &+ next]
            last = next
            level &+= 1
        }
        return Look(patterns: mask, isOpen: false)
    }

    private func beyondASCII(_ bytes: [UInt8], at index: Int) -> Mask {
        guard bytes[index] & 0xC0 != 0x80 else { return 0 }
        let point = FoldedCharacter(bytes, at: index).point
        guard Self.hanRange.contains(point) else { return other }
        return hanMasks[Int(han[Int(point &- Self.hanRange.lowerBound)])]
    }
}
