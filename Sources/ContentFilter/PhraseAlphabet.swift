/// The symbols that the automaton of phrases reads: letters without case, what stands for letters as those, the edge of
/// a word, and Chinese characters as two symbols each.
///
/// Symbols are coarser than letters (i, l, 1 and ! are one), so a match is a candidate, to be held against the text.
struct PhraseAlphabet: Sendable {
    static let edge: UInt8 = 0
    /// A letter that no list uses.
    static let otherLetter: UInt8 = 29
    private static let firstHan = 30
    static let count = 30 + 64
    /// What a byte can be besides a symbol.
    static let space: UInt8 = 200
    /// Ends what phrases may span.
    static let stop: UInt8 = 201
    /// Stands for a letter between letters, else for punctuation.
    static let letterBetweenLetters: UInt8 = 202
    static let multibyte: UInt8 = 203

    /// By folded byte: a symbol, or one of the above.
    let classes: [UInt8]
    /// By code point from U+3400 on: 0 for characters that no list uses.
    private var han = [UInt16](repeating: 0, count: 0xA000 - 0x3400)
    private var rare: [UInt32: UInt16] = [:]
    private var hanCount: UInt16 = 0

    init() {
        var classes = [UInt8](repeating: Self.stop, count: 256)
        for byte in UInt8(ascii: "a")...UInt8(ascii: "z") {
            let symbol = byte == UInt8(ascii: "l") ? 9 : byte - UInt8(ascii: "a") + 1
            classes[Int(byte)] = symbol
            classes[Int(byte - 32)] = symbol
        }
        for (byte, letter) in zip("01345789@$".utf8, "oieastbgas".utf8) { classes[Int(byte)] = classes[Int(letter)] }
        classes[Int(UInt8(ascii: "2"))] = 27
        classes[Int(UInt8(ascii: "6"))] = 28
        for byte in " \t\r'\"`*_-~^/\\=&#+<>".utf8 { classes[Int(byte)] = Self.space }
        for byte in "!|".utf8 { classes[Int(byte)] = Self.letterBetweenLetters }
        for byte in 0x80...0xFF { classes[byte] = Self.multibyte }
        self.classes = classes
    }

    /// The letter that a symbol between letters stands for.
    static let between: UInt8 = 9

    static func isHan(_ point: UInt32) -> Bool {
        (0x3400...0x9FFF).contains(point) || (0x20000...0x3FFFF).contains(point)
    }

    /// The two symbols of a Chinese character; nil for one that no list uses.
    func symbols(_ point: UInt32) -> (UInt8, UInt8)? {
        let index = point < 0xA000 ? han[Int(point) - 0x3400] : rare[point] ?? 0
        guard index > 0 else { return nil }
        return (UInt8(Self.firstHan) + UInt8(index >> 6), UInt8(Self.firstHan) + UInt8(index & 63))
    }

    /// - Throws: `FilterError` when lists use more characters than there are symbols for.
    mutating func add(_ point: UInt32) throws {
        guard Self.isHan(point), symbols(point) == nil else { return }
        hanCount += 1
        guard hanCount < 64 * 64 else {
            throw FilterError("the lists use more than 4,095 different Chinese characters")
        }
        if point < 0xA000 { han[Int(point) - 0x3400] = hanCount } else { rare[point] = hanCount }
    }
}

/// A character of folded text.
struct FoldedCharacter {
    var point: UInt32
    var length: Int

    /// - Parameter index: where a character begins, in valid UTF-8.
    init(_ bytes: [UInt8], at index: Int) {
        let lead = bytes[index]
        length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
        guard length > 1, index + length <= bytes.count else {
            (point, length) = (UInt32(lead), 1)
            return
        }
        var value = UInt32(lead) & (0xFF >> UInt32(length + 1))
        for offset in 1..<length { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
        point = value
    }
}
