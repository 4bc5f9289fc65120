/// The features of a text that the classifier weighs: words, pairs of words, pieces of words of three to five bytes,
/// and of Chinese one to three characters, each hashed to a bucket. `Training/train.py` counts the same.
struct TextFeatures {
    static let bucketBits: UInt32 = 16

    private static let crcTable: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    private(set) var buckets: [Int] = []
    private let table = Self.crcTable
    private var word: [UInt8] = []
    private var lastWord: [UInt8] = []
    private var han: [Range<Int>] = []

    /// - Parameter text: folded, of valid UTF-8.
    init(_ text: ArraySlice<UInt8>) {
        let bytes = Array(text)
        buckets.reserveCapacity(bytes.count * 4)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case 0x61...0x7A, 0x30...0x39, 0x27: word.append(byte)
            case 0x41...0x5A: word.append(byte + 32)
            case 0..<0x80: endWord()
            default:
                let character = FoldedCharacter(bytes, at: index)
                let range = index..<index + character.length
                index += character.length
                switch CharacterKind(character.point) {
                case .han:
                    endWord()
                    add(han: range, bytes)
                case .letter: word.append(contentsOf: bytes[range])
                case .space, .stop: endWord()
                }
                continue
            }
            index += 1
        }
        endWord()
    }

    private mutating func add(han character: Range<Int>, _ bytes: [UInt8]) {
        if han.count == 3 { han.removeFirst() }
        han.append(character)
        for first in han.indices.reversed() {
            var value = step(~0, 0x68)
            for range in han[first...] {
                for index in range { value = step(value, bytes[index]) }
            }
            add(~value)
        }
    }

    private mutating func endWord() {
        guard !word.isEmpty else { return }
        han.removeAll(keepingCapacity: true)
        add(crc(0x77, word))
        if !lastWord.isEmpty {
            var value = step(~0, 0x62)
            for byte in lastWord { value = step(value, byte) }
            value = step(value, 0x20)
            for byte in word { value = step(value, byte) }
            add(~value)
        }
        word.insert(0x20, at: 0)
        word.append(0x20)
        let opening = step(~0, 0x63)
        for start in word.indices {
            var value = opening
            for index in start..<min(start + 5, word.count) {
                value = step(value, word[index])
                if index &- start >= 2 { add(~value) }
            }
        }
        lastWord.removeAll(keepingCapacity: true)
        lastWord.append(contentsOf: word[1..<word.count - 1])
        word.removeAll(keepingCapacity: true)
    }

    private func step(_ value: UInt32, _ byte: UInt8) -> UInt32 {
        table[Int((value ^ UInt32(byte)) & 255)] ^ value >> 8
    }

    private func crc(_ kind: UInt8, _ bytes: some Sequence<UInt8>) -> UInt32 {
        var value = step(~0, kind)
        for byte in bytes { value = step(value, byte) }
        return ~value
    }

    private mutating func add(_ hash: UInt32) { buckets.append(Int((hash &* 2_654_435_761) >> (32 - Self.bucketBits))) }
}
