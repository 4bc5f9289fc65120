/// The words of the lists, to know them again with two neighbouring letters exchanged: `yuorself`.
struct TransposedWords: Sendable {
    static let lengths = 4...20
    /// Letters of a word that says something without others: shorter ones lie too near to other words (SPKI).
    private static let aloneLength = 5
    private static let bucketCount = 4_096

    /// In order of their buckets: the lowest bits of what stays the same when letters behind the first change places.
    private var words: [(key: UInt32, spelling: [UInt8])] = []
    /// Where each bucket begins among `words`, and the end.
    private var starts: [Int] = []
    /// Keys that there are, by their lowest bits.
    private var known = [UInt64](repeating: 0, count: 1_024)
    /// Words that are none of `words`, near as they are.
    private var others = Set(["niger", "trad"].map { Array($0.utf8) })
    /// Beginnings of words with which a phrase begins, with two letters exchanged, by their lowest bits.
    private var beginnings = [UInt64](repeating: 0, count: 1 << 14)

    /// - Parameters:
    ///   - phrases: folded, in lower case.
    ///   - choices: of sequences, with whether a sequence begins with them.
    init(_ phrases: ArraySlice<[UInt8]>, choices: [(spelling: [UInt8], begins: Bool)]) {
        var seen = Set<[UInt8]>()
        for phrase in phrases {
            if phrase.count < Self.aloneLength { others.insert(phrase) } else { add(phrase, begins: true, &seen) }
        }
        for choice in choices { add(choice.spelling, begins: choice.begins, &seen) }
        let buckets = Dictionary(grouping: words) { Int($0.key) % Self.bucketCount }
        words = []
        for bucket in 0..<Self.bucketCount {
            starts.append(words.count)
            words += buckets[bucket] ?? []
        }
        starts.append(words.count)
    }

    private mutating func add(_ phrase: [UInt8], begins: Bool, _ seen: inout Set<[UInt8]>) {
        for word in phrase.split(whereSeparator: { !(97...122).contains($0) }) {
            guard let key = Self.key(word) else { continue }
            if begins, word.startIndex == 0 { addBeginnings(of: Array(word)) }
            guard seen.insert(Array(word)).inserted else { continue }
            words.append((key, Array(word)))
            known[Int(key >> 6 & 1_023)] |= 1 << UInt64(key & 63)
        }
    }

    private mutating func addBeginnings(of word: [UInt8]) {
        for place in 1..<word.count - 1 where word[place] != word[place + 1] {
            var exchanged = word
            exchanged.swapAt(place, place + 1)
            var key: UInt32 = 0
            for letter in exchanged {
                key = Self.key(letter, after: key)
                beginnings[Int(key >> 18)] |= 1 << UInt64(key >> 12 & 63)
            }
        }
    }

    /// The list's word that a word is but for two letters; nil for most words, and for the list's own.
    func correction(of word: ArraySlice<UInt8>) -> [UInt8]? {
        guard let key = Self.key(word), known[Int(key >> 6 & 1_023)] >> UInt64(key & 63) & 1 == 1 else { return nil }
        let bucket = Int(key) % Self.bucketCount
        var found: [UInt8]?
        for index in starts[bucket]..<starts[bucket + 1] where words[index].key == key {
            let spelling = words[index].spelling
            guard spelling.count == word.count else { continue }
            guard let first = Self.difference(spelling, word, from: 0) else { return nil }
            let second = word.startIndex + first + 1
            if found == nil, second < word.endIndex, word[second] | 0x20 == spelling[first],
                word[second - 1] | 0x20 == spelling[first + 1],
                Self.difference(spelling, word, from: first + 2) == nil
            {
                found = spelling
            }
        }
        guard let found, !others.contains(word.map { $0 | 0x20 }) else { return nil }
        return found
    }

    /// Whether a word that begins like this may turn out to be one with which a phrase begins; false alarms are few.
    func mayBegin(_ beginning: ArraySlice<UInt8>) -> Bool {
        guard beginning.count <= Self.lengths.upperBound else { return false }
        var key: UInt32 = 0
        for byte in beginning {
            guard (97...122).contains(byte | 0x20) else { return false }
            key = Self.key(byte | 0x20, after: key)
        }
        return beginnings[Int(key >> 18)] >> UInt64(key >> 12 & 63) & 1 == 1
    }

    /// The first letter that differs, from one on; nil for none.
    private static func difference(_ spelling: [UInt8], _ word: ArraySlice<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < spelling.count {
            if spelling[index] != word[word.startIndex + index] | 0x20 { return index }
            index += 1
        }
        return nil
    }

    private static func key(_ letter: UInt8, after key: UInt32) -> UInt32 {
        let mixed = (key ^ UInt32(letter)) &* 0x9E37_79B1
        return mixed ^ mixed >> 15
    }

    /// Nil for what is no word of `lengths` letters.
    private static func key(_ word: ArraySlice<UInt8>) -> UInt32? {
        guard lengths.contains(word.count), let first = word.first else { return nil }
        var key = UInt32(first | 0x20) &* 0x9E37_79B1
        for byte in word {
            let letter = byte | 0x20
            guard (97...122).contains(letter) else { return nil }
            let mixed = UInt32(letter) &* 0x85EB_CA6B
            key = key &+ (mixed ^ mixed >> 13) &* 0xC2B2_AE35
        }
        return key ^ key >> 16
    }
}
