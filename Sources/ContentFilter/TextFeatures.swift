/// The features of a text that the classifier weighs: words, pairs of words, pieces of words of three to five bytes,
/// and of Chinese one to three characters, each hashed to a bucket. `Training/train.py` counts the same.
struct TextFeatures {
    static let bucketBits: UInt32 = 15

    private static let crcTable: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    private(set) var buckets: [Int] = []
    /// Whether there are more Chinese characters than words of letters.
    var isChinese: Bool { hanCount > wordCount }

    private var hanCount = 0
    private var wordCount = 0
    private let table = Self.crcTable
    /// The text in lower case.
    private let bytes: [UInt8]
    private var wordStart: Int?
    private var lastWord = 0..<0
    /// The hashes of the last Chinese character, and of the last two.
    private var han: (one: UInt32?, two: UInt32?) = (nil, nil)

    /// - Parameter text: folded, of valid UTF-8.
    init(_ text: ArraySlice<UInt8>) {
        bytes = text.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }
        buckets.reserveCapacity(bytes.count * 4)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x61...0x7A, 0x30...0x39, 0x27: if wordStart == nil { wordStart = index }
            case 0..<0x80: endWord(at: index)
            default:
                let character = FoldedCharacter(bytes, at: index)
                switch CharacterKind(character.point) {
                case .han:
                    endWord(at: index)
                    add(han: index..<index + character.length)
                case .letter: if wordStart == nil { wordStart = index }
                case .space, .stop: endWord(at: index)
                }
                index += character.length
                continue
            }
            index += 1
        }
        endWord(at: bytes.count)
    }

    private mutating func add(han character: Range<Int>) {
        hanCount += 1
        let one = hash(character, from: step(~0, 0x68))
        let two = han.one.map { hash(character, from: $0) }
        add(~one)
        if let two { add(~two) }
        if let before = han.two { add(~hash(character, from: before)) }
        han = (one, two)
    }

    private mutating func endWord(at end: Int) {
        guard let start = wordStart else { return }
        wordStart = nil
        wordCount += 1
        han = (nil, nil)
        let word = start..<end
        add(~hash(word, from: step(~0, 0x77)))
        if !lastWord.isEmpty { add(~hash(word, from: step(hash(lastWord, from: step(~0, 0x62)), 0x20))) }
        lastWord = word
        // Its pieces, with a space before and behind.
        let opening = step(~0, 0x63)
        for first in start - 1..<end - 1 {
            var value = opening
            for index in first..<min(first + 5, end + 1) {
                value = step(value, index < start || index == end ? 0x20 : bytes[index])
                if index &- first >= 2 { add(~value) }
            }
        }
    }

    private func step(_ value: UInt32, _ byte: UInt8) -> UInt32 {
        table[Int((value ^ UInt32(byte)) & 255)] ^ value >> 8
    }

    private func hash(_ range: Range<Int>, from opening: UInt32) -> UInt32 {
        var value = opening
        for index in range { value = step(value, bytes[index]) }
        return value
    }

    private mutating func add(_ hash: UInt32) {
        buckets.append(Int((hash &* 2_654_435_761) >> (32 - Self.bucketBits)))
    }
}
